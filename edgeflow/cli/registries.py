"""`edgeflow targets` and `edgeflow profiles`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgeflow.cli.outcome import error_document, print_document, tell_error
from edgeflow.cli.tables import print_rows
from edgeflow.errors import EdgeflowError, ExitCode


def list_targets(as_json: bool) -> int:
    """Names and descriptions; files that cannot be used are listed with the reason."""
    from edgeflow.targets import registry

    rows = []
    for name in registry.names():
        try:
            rows.append((name, registry.load(name).description))
        except EdgeflowError as error:
            rows.append((name, f"cannot be used: {error.message}"))
    if as_json:
        print_document({"targets": [{"name": n, "description": d} for n, d in rows]})
    else:
        print_rows(rows)
    return int(ExitCode.OK)


def show_target(name: str, as_json: bool) -> int:
    """A target with everything that it extends."""
    from edgeflow.targets import registry

    target = registry.load(name)
    _show(target.model_dump(mode="json"), "target", as_json)
    return int(ExitCode.OK)


def validate_targets(files: Sequence[Path], as_json: bool) -> int:
    """Check target files; the exit code is that of the first bad one."""
    from edgeflow.targets import registry

    return _validate(files, registry.validate, as_json)


def list_profiles(as_json: bool) -> int:
    """Names of all profiles."""
    from edgeflow.profiles import registry

    names = registry.names()
    if as_json:
        print_document({"profiles": [{"name": name} for name in names]})
    elif names:
        print_rows([(name,) for name in names])
    else:
        print_rows([("no profile is installed",)])
    return int(ExitCode.OK)


def show_profile(name: str, as_json: bool) -> int:
    """A profile with all its rows."""
    from edgeflow.profiles import registry

    _show(registry.load(name).model_dump(mode="json"), "profile", as_json)
    return int(ExitCode.OK)


def validate_profiles(files: Sequence[Path], as_json: bool) -> int:
    """Check profile files; the exit code is that of the first bad one."""
    from edgeflow.profiles import registry

    return _validate(files, registry.validate, as_json)


def _show(value: dict[str, Any], name: str, as_json: bool) -> None:
    if as_json:
        print_document({name: value})
    else:
        print_rows(list(_flat(value, "")))


def _flat(value: Any, prefix: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for k, v in value.items() for row in _flat(v, f"{prefix}.{k}" if prefix else k)]
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [row for i, item in enumerate(value) for row in _flat(item, f"{prefix}[{i}]")]
    if isinstance(value, list):
        return [(prefix, ", ".join(map(str, value)))]
    return [(prefix, "" if value is None else str(value))]


def _validate(files: Sequence[Path], check: Callable[[Path], Any], as_json: bool) -> int:
    code = ExitCode.OK
    rows: list[dict[str, Any]] = []
    for path in files:
        try:
            check(path)
            rows.append({"file": str(path), "valid": True})
        except EdgeflowError as error:
            code = code or error.exit_code
            document = error_document(error.exit_code, error.message, error.hint)
            rows.append({"file": str(path), "valid": False, "error": document})
            tell_error(error.exit_code, error.message, error.hint, as_json=False)
    if as_json:
        print_document({"files": rows})
    else:
        print_rows([(row["file"], "valid" if row["valid"] else "not valid") for row in rows])
    return int(code)
