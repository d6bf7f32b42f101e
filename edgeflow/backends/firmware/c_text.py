"""Values as C text: initializers, arrays, and comments that no tensor name can break out of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

COMMENT_CHARACTERS = 80
_INDENT = "    "


class CType(StrEnum):
    """Element types of constant arrays."""

    INT8 = "int8_t"
    INT32 = "int32_t"
    UINT32 = "uint32_t"


_DTYPES: Mapping[CType, type[np.integer]] = {
    CType.INT8: np.int8,
    CType.INT32: np.int32,
    CType.UINT32: np.uint32,
}
_ELEMENTS_PER_LINE = {CType.INT8: 20, CType.INT32: 8, CType.UINT32: 8}


@dataclass(frozen=True)
class Expression:
    """C text that stands for itself: the name of an array, a place in the arena."""

    text: str


Value = int | Expression | tuple["Value", ...] | Mapping[str, "Value"]
"""A field of an initializer: number, expression, array, or struct."""


@dataclass(frozen=True, eq=False)
class ConstantArray:
    """An array in flash; `values` is flat, `comment` says what it holds."""

    name: str
    element: CType
    values: NDArray[np.int64]
    comment: str

    def __post_init__(self) -> None:
        """Every value must fit the element type."""
        limits = np.iinfo(_DTYPES[self.element])
        if np.any(self.values < limits.min) or np.any(self.values > limits.max):
            raise ValueError(f"{self.name}: a value does not fit {self.element}")

    @property
    def size_bytes(self) -> int:
        """Bytes in flash."""
        return int(self.values.size) * np.dtype(_DTYPES[self.element]).itemsize


def integer(value: int) -> str:
    """A decimal constant of type int; INT32_MIN has no literal of its own in C."""
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{value} does not fit int32_t")
    return "INT32_MIN" if value == -(2**31) else str(value)


def comment(text: str) -> str:
    """Text that is safe inside a C comment: printable ASCII without `*`, `?`, quotes, backslash."""
    safe = re.sub(r"[^A-Za-z0-9 _./:;,()\[\]=+>-]", "_", text)
    return safe if len(safe) <= COMMENT_CHARACTERS else safe[: COMMENT_CHARACTERS - 3] + "..."


def initializer(value: Value, depth: int) -> str:
    """A C99 initializer; structs get one designated field a line, indented from `depth`."""
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, tuple):
        return "{" + ", ".join(initializer(element, depth) for element in value) + "}"
    inner = _INDENT * (depth + 1)
    lines = [f"{inner}.{name} = {initializer(v, depth + 1)}," for name, v in value.items()]
    return "\n".join(["{", *lines, _INDENT * depth + "}"])


def array_rows(array: ConstantArray) -> list[str]:
    """The elements of an array as lines of text."""
    width = _ELEMENTS_PER_LINE[array.element]
    unsigned = array.element is CType.UINT32
    numbers = array.values.reshape(-1).tolist()
    elements = [f"{number}u" if unsigned else integer(number) for number in numbers]
    return [", ".join(elements[i : i + width]) + "," for i in range(0, len(elements), width)]
