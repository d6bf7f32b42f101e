"""`edgeflow targets` and `edgeflow profiles`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.cli.outcome import error_document, print_document, tell_error
from edgeflow.cli.tables import print_rows
from edgeflow.errors import EdgeflowError, ExitCode

if TYPE_CHECKING:
    from edgeflow.profiles.schema import Profile

_BYTES = ("flash, bytes", "RAM, bytes")


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
    """A profile with all its rows, the precisions of an operator below one another."""
    from edgeflow.profiles import registry

    profile = registry.load(name)
    value = profile.model_dump(mode="json")
    if as_json:
        print_document({"profile": value})
    else:
        print_rows([*_flat({k: v for k, v in value.items() if k != "rows"}, ""), ("",)])
        print_rows(list(_profile_rows(profile)))
    return int(ExitCode.OK)


def _profile_rows(profile: Profile) -> Iterable[tuple[str, ...]]:
    """Cost and bytes of every row, and the cost over that of the operator at w8a8."""
    yield (
        "operator",
        "precision",
        f"{profile.header.unit}, median",
        "p95",
        "n",
        *_BYTES,
        "of w8a8",
    )
    whole = {row.signature: row.median for row in profile.rows if row.precision == "w8a8"}
    widest_first = sorted(profile.rows, key=lambda row: row.precision, reverse=True)
    for row in sorted(widest_first, key=lambda row: row.signature):
        wide = whole.get(row.signature)
        compared = f"{row.median / wide:.2f}" if wide and row.precision != "w8a8" else ""
        costs = (f"{row.median:,.0f}", f"{row.p95:,.0f}", str(row.n))
        sizes = (f"{row.flash_bytes:,}", f"{row.ram_bytes:,}")
        yield (row.signature, row.precision, *costs, *sizes, compared)


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
