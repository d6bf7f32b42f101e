"""Profiles by name: `<target>/<name>`, one JSON file each, checked against the schema."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeflow.errors import ProfileFileError, UnknownNameError
from edgeflow.profiles.schema import Profile

SEARCH_PATH_VARIABLE = "EDGEFLOW_PROFILES_PATH"

_PACKAGE = Path(__file__).resolve().parent.parent
_LARGEST_FILE_BYTES = 64 << 20
_SUFFIX = ".json"
_SHOWN_PROBLEMS = 20


def names() -> tuple[str, ...]:
    """The names of all profiles, `<target>/<name>`, sorted."""
    found = {
        f"{path.parent.name}/{path.stem}"
        for directory in directories()
        for path in directory.glob(f"*/*{_SUFFIX}")
    }
    return tuple(sorted(found))


def load(name: str) -> Profile:
    """The profile of that name, or the one in a file when `name` ends in `.json`.

    Raises UnknownNameError for a name that does not exist, ProfileFileError for an invalid file.
    """
    if name.endswith(_SUFFIX):
        return load_file(Path(name))
    path = _find(name)
    if path is None:
        known = names()
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        guess = f"Did you mean {' or '.join(close)}? " if close else ""
        listed = f"Profiles: {', '.join(known)}." if known else "No profile is installed."
        raise UnknownNameError(
            f"There is no profile {name!r}.",
            hint=f"{guess}{listed} A path that ends in .json works too.",
        )
    profile = load_file(path)
    if profile.header.target != path.parent.name:
        raise _invalid(
            path, [f"header.target: is {profile.header.target!r}, the folder {path.parent.name!r}"]
        )
    return profile


def load_file(path: Path) -> Profile:
    """The profile in a file. Raises ProfileFileError that names file, key and what is allowed."""
    values = _read(path)
    try:
        profile = Profile.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise _invalid(path, _describe(error)) from error
    if profile.name != path.stem:
        raise _invalid(path, [f"name: is {profile.name!r}, the file's name says {path.stem!r}"])
    return profile


def validate(path: Path) -> Profile:
    """Check a profile file; the same errors as `load_file`."""
    return load_file(path)


def directories() -> tuple[Path, ...]:
    """Where profiles are looked up: the user's directories first, then those of edgeflow."""
    listed = os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep)
    installed = _PACKAGE / "shipped" / "profiles"
    shipped = installed if installed.is_dir() else _PACKAGE.parent / "profiles"
    return (*(Path(entry) for entry in listed if entry), shipped)


def _find(name: str) -> Path | None:
    target, separator, profile = name.partition("/")
    for part in (target, profile):
        if not separator or not part or os.path.basename(part) != part or part.startswith("."):
            return None
    candidates = (directory / target / f"{profile}{_SUFFIX}" for directory in directories())
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise ProfileFileError(
                f"Profile file {path} is larger than {_LARGEST_FILE_BYTES} bytes.",
                hint="Split it by power mode or compiler.",
            )
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise ProfileFileError(
            f"Profile file {path} cannot be read: {error.strerror}.",
            hint="Check the path and its permissions.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise ProfileFileError(
            f"Profile file {path} is no valid JSON: {error}.",
            hint="Correct the file at that place.",
        ) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _describe(error: ValidationError) -> list[str]:
    problems = error.errors(include_url=False)
    lines = []
    for problem in problems[:_SHOWN_PROBLEMS]:
        key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])[1:]
        text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        shown = problem["input"]
        value = f" (it is {shown!r})" if isinstance(shown, str | int | float | bool) else ""
        lines.append(f"{key}: {text}{value}" if key else text)
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return lines


def _invalid(path: Path, lines: list[str]) -> ProfileFileError:
    return ProfileFileError(
        f"Profile file {path} is not valid:\n" + "\n".join(f"  {line}" for line in lines),
        hint="Correct the keys above; `edgeflow profiles validate FILE` checks again.",
    )
