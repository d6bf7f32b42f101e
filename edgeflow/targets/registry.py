"""Targets by name: TOML files that may extend one another, checked against the schema."""

from __future__ import annotations

import difflib
import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeflow.errors import TargetFileError, UnknownNameError
from edgeflow.targets.messages import describe_problems
from edgeflow.targets.schema import Target

SEARCH_PATH_VARIABLE = "EDGEFLOW_TARGETS_PATH"

_PACKAGE = Path(__file__).resolve().parent.parent
_LARGEST_FILE_BYTES = 1 << 20
_SUFFIX = ".toml"
_PARTIAL_PREFIX = "_"


def names() -> tuple[str, ...]:
    """The names of all targets, sorted. Files that start with `_` are bases, not targets."""
    found = {
        path.stem
        for directory in directories()
        for path in directory.glob(f"*{_SUFFIX}")
        if not path.name.startswith(_PARTIAL_PREFIX)
    }
    return tuple(sorted(found))


def load(name: str) -> Target:
    """The target of that name, or the one in a file when `name` ends in `.toml`.

    Raises UnknownNameError for a name that does not exist, TargetFileError for an invalid file.
    """
    if name.endswith(_SUFFIX):
        return load_file(Path(name))
    path = None if name.startswith(_PARTIAL_PREFIX) else _find(name, directories())
    if path is None:
        known = names()
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        guess = f"Did you mean {' or '.join(close)}? " if close else ""
        raise UnknownNameError(
            f"There is no target {name!r}.",
            hint=f"{guess}Targets: {', '.join(known)}. A path that ends in .toml works too.",
        )
    return load_file(path)


def load_file(path: Path) -> Target:
    """The target that a file describes, merged over the files it extends.

    Raises TargetFileError that names the file, the key, what is wrong and what is allowed.
    """
    values = _merged(path, ())
    try:
        target = Target.model_validate(values)
    except ValidationError as error:
        problems = describe_problems(error, Target)
        raise TargetFileError(
            f"Target file {path} is not valid:\n" + "\n".join(f"  {line}" for line in problems),
            hint="Correct the keys above; `edgeflow targets validate FILE` checks again.",
        ) from error
    if target.name != path.stem:
        raise TargetFileError(
            f"Target file {path} is not valid:\n"
            f"  name: is {target.name!r}, and the file's name says {path.stem!r}",
            hint=f"Name the file {target.name}{_SUFFIX} or set name = {path.stem!r}.",
        )
    return target


def validate(path: Path) -> Target:
    """Check a target file; the same errors as `load_file`."""
    if path.name.startswith(_PARTIAL_PREFIX):
        raise TargetFileError(
            f"Target file {path} is a base that other targets extend, and no target by itself.",
            hint="Check the targets that extend it.",
        )
    return load_file(path)


def directories() -> tuple[Path, ...]:
    """Where targets are looked up: the user's directories first, then those of edgeflow."""
    listed = os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep)
    return (*(Path(entry) for entry in listed if entry), _shipped())


@cache
def _shipped() -> Path:
    installed = _PACKAGE / "shipped" / "targets"
    return installed if installed.is_dir() else _PACKAGE.parent / "targets"


def _find(name: str, where: tuple[Path, ...]) -> Path | None:
    if os.path.basename(name) != name or not name:
        return None
    candidates = (directory / f"{name}{_SUFFIX}" for directory in where)
    return next((path for path in candidates if path.is_file()), None)


def _merged(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """The values of a file over those of what it extends; `above` are the files that led here."""
    resolved = path.resolve()
    if resolved in above:
        chain = " -> ".join(p.stem for p in (*above, resolved))
        raise TargetFileError(
            f"Target file {path}: extends: the files extend one another: {chain}.",
            hint="Remove one of the `extends` keys.",
        )
    values = _read(path)
    base = values.pop("extends", None)
    if base is None:
        return values
    base_path = _find(base, (path.parent, *directories())) if isinstance(base, str) else None
    if base_path is None:
        allowed = ", ".join(n for n in names() if n != path.stem)
        raise TargetFileError(
            f"Target file {path}: extends: there is no target {base!r}.",
            hint=f"Use one of: {allowed}.",
        )
    return _overlay(_merged(base_path, (*above, resolved)), values)


def _overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables merge key by key, everything else (lists too) is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _overlay(below, value)
        else:
            merged[key] = value
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise TargetFileError(
                f"Target file {path} is larger than {_LARGEST_FILE_BYTES} bytes.",
                hint="A target file is a page of TOML.",
            )
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetFileError(
            f"Target file {path} cannot be read: {error.strerror}.",
            hint="Check the path and its permissions.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TargetFileError(
            f"Target file {path} is no valid TOML: {error}.",
            hint="Correct the file at that place.",
        ) from error
