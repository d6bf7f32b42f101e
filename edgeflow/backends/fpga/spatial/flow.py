"""Integer dataflow: what logic computes of its inputs, value after value, with exact ranges.

Every value knows the least and the largest number that it can be, so that its wires are as few as
they can be, and its level: how many adders lie between it and the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeflow.graph.fixed_point import Int64Array


@dataclass(frozen=True)
class Given:
    """An input."""

    index: int


@dataclass(frozen=True)
class Constant:
    """The same number always."""

    number: int


@dataclass(frozen=True)
class Sum:
    """(left << left_shift) + (right << right_shift), or less it with `subtract`."""

    left: int
    right: int
    left_shift: int = 0
    right_shift: int = 0
    subtract: bool = False


@dataclass(frozen=True)
class Shifted:
    """source >> bits, rounded down."""

    source: int
    bits: int


@dataclass(frozen=True)
class Turned:
    """source, less `taken` where it is below `bound`."""

    source: int
    bound: int
    taken: int


@dataclass(frozen=True)
class Clamped:
    """source, no less than `low` and no more than `high`."""

    source: int
    low: int
    high: int


@dataclass(frozen=True)
class Largest:
    """The larger of two."""

    left: int
    right: int


@dataclass(frozen=True)
class Entry:
    """Of a table that begins with the entry of the source's least number."""

    source: int
    table: tuple[int, ...]


Operation = Given | Constant | Sum | Shifted | Turned | Clamped | Largest | Entry

# A comparison is an adder, and what it chooses takes about as long again.
_LEVELS = {Sum: 1, Turned: 2, Clamped: 2, Largest: 2, Entry: 2}


@dataclass(frozen=True)
class Value:
    """A value: how it comes to be, its range with both ends, and its level."""

    operation: Operation
    low: int
    high: int
    level: int

    @property
    def is_signed(self) -> bool:
        """Whether it can be below zero."""
        return self.low < 0

    @property
    def bits(self) -> int:
        """Of its wires, in two's complement where it is signed; 1 at least."""
        return bits_of(self.low, self.high)


def bits_of(low: int, high: int) -> int:
    """Wires for the numbers from `low` to `high`; 1 at least."""
    positive = max(high, 0).bit_length()
    if low >= 0:
        return max(positive, 1)
    return max(positive, (-low - 1).bit_length()) + 1


def sources(operation: Operation) -> tuple[int, ...]:
    """The numbers of the values that an operation reads."""
    match operation:
        case Given() | Constant():
            return ()
        case Sum() | Largest():
            return (operation.left, operation.right)
        case _:
            return (operation.source,)


class Flow:
    """A dataflow under construction: each method appends a value and gives its number."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._values = [Value(Given(n), *ends, 0) for n, ends in enumerate(ranges)]

    @property
    def values(self) -> tuple[Value, ...]:
        """All so far; sources lie before those that read them."""
        return tuple(self._values)

    def ends(self, number: int) -> tuple[int, int]:
        """The least and the largest number that a value can be."""
        return self._values[number].low, self._values[number].high

    def level(self, number: int) -> int:
        """How many adders lie before a value."""
        return self._values[number].level

    def constant(self, number: int) -> int:
        """A number."""
        return self._append(Constant(number), number, number)

    def sum(
        self,
        left: int,
        right: int,
        left_shift: int = 0,
        right_shift: int = 0,
        subtract: bool = False,
    ) -> int:
        """Two values added, or the right one subtracted."""
        a, b = self._values[left], self._values[right]
        least, most = b.low << right_shift, b.high << right_shift
        if subtract:
            least, most = -most, -least
        ends = (a.low << left_shift) + least, (a.high << left_shift) + most
        return self._append(Sum(left, right, left_shift, right_shift, subtract), *ends)

    def narrowed(self, number: int, low: int, high: int) -> int:
        """The same sum, known to lie in a range: arithmetic in fewer bits gives it too."""
        value = self._values[number]
        if not isinstance(value.operation, Sum):
            return number
        return self._append(value.operation, max(low, value.low), min(high, value.high))

    def shifted(self, source: int, bits: int) -> int:
        """A value over 2**bits, rounded down."""
        if bits == 0:
            return source
        value = self._values[source]
        return self._append(Shifted(source, bits), value.low >> bits, value.high >> bits)

    def turned(self, source: int, bound: int, taken: int) -> int:
        """A value, less `taken` where it lies below `bound`."""
        value = self._values[source]
        low = value.low - taken if value.low < bound else value.low
        return self._append(Turned(source, bound, taken), low, value.high)

    def clamped(self, source: int, low: int, high: int) -> int:
        """A value brought into a range."""
        value = self._values[source]
        if low <= value.low and value.high <= high:
            return source
        ends = min(max(value.low, low), high), max(min(value.high, high), low)
        return self._append(Clamped(source, low, high), *ends)

    def largest(self, left: int, right: int) -> int:
        """The larger of two values."""
        a, b = self._values[left], self._values[right]
        return self._append(Largest(left, right), max(a.low, b.low), max(a.high, b.high))

    def entry(self, source: int, table: Sequence[int]) -> int:
        """The entry of a value; the table covers its range."""
        entries = tuple(int(each) for each in table)
        return self._append(Entry(source, entries), min(entries), max(entries))

    def _append(self, operation: Operation, low: int, high: int) -> int:
        level = max((self._values[n].level for n in sources(operation)), default=0)
        level += _LEVELS.get(type(operation), 0)
        self._values.append(Value(operation, low, high, level))
        return len(self._values) - 1


def evaluate(values: Sequence[Value], inputs: Int64Array) -> list[Int64Array]:
    """All values of inputs [given, N], as int64 [N] each."""
    found: list[Int64Array] = []
    for value in values:
        found.append(_evaluated(value.operation, found, inputs, values))
    return found


def _evaluated(
    operation: Operation, found: list[Int64Array], inputs: Int64Array, values: Sequence[Value]
) -> Int64Array:
    result: Int64Array
    match operation:
        case Given(index):
            result = inputs[index]
        case Constant(number):
            result = np.full(inputs.shape[1], number, np.int64)
        case Sum():
            right = found[operation.right] << operation.right_shift
            left = found[operation.left] << operation.left_shift
            result = left - right if operation.subtract else left + right
        case Shifted(source, bits):
            result = found[source] >> bits
        case Turned(source, bound, taken):
            result = found[source] - np.where(found[source] < bound, taken, 0)
        case Clamped(source, low, high):
            result = np.clip(found[source], low, high)
        case Largest(left_number, right_number):
            result = np.maximum(found[left_number], found[right_number])
        case Entry(source, table):
            result = np.array(table, np.int64)[found[source] - values[source].low]
    return result
