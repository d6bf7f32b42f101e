"""Schema errors for people: the key, what is wrong, and what is allowed."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ValidationError

_FORBIDDEN = "extra_forbidden"
_MISSING = "missing"
_WORTH_SHOWING = (str, int, float, bool)


def describe_problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each problem of a validation error, with the key as it stands in the file."""
    lines = []
    for problem in error.errors(include_url=False):
        location = problem["loc"]
        key = _key(location)
        if problem["type"] == _FORBIDDEN:
            allowed = ", ".join(_fields_at(model, location[:-1]))
            lines.append(f"{key}: there is no such key; allowed here: {allowed}")
        elif problem["type"] == _MISSING:
            lines.append(f"{key}: is missing")
        else:
            value = problem["input"]
            shown = f" (it is {value!r})" if isinstance(value, _WORTH_SHOWING) else ""
            text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
            lines.append(f"{key}: {text}{shown}" if key else text)
    return lines


def _key(location: Sequence[str | int]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    for part in location:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            nested = next(_models(annotation), None)
            if nested is None:
                return []
            model = nested
    return list(model.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models inside an annotation such as `tuple[MemoryRegion, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)
