"""Pipeline stages of a kernel: which values need registers, and how many cycles it takes."""

from __future__ import annotations

from dataclasses import dataclass

from edgeflow.backends.fpga.spatial.flow import Constant, Value, sources
from edgeflow.backends.fpga.spatial.kernel import Kernel


@dataclass(frozen=True, eq=False)
class Stages:
    """`stage` of each value; registers (value, stage): its copy at a later stage.

    Results are read `cycles` after the inputs, each from its copy at that stage.
    """

    stage: tuple[int, ...]
    registers: tuple[tuple[int, int], ...]
    cycles: int

    def register_bits(self, values: tuple[Value, ...]) -> int:
        """Of all copies."""
        return sum(values[number].bits for number, _ in self.registers)


def stages_of(kernel: Kernel, levels: int) -> Stages:
    """Of a kernel with at most so many adders one after another between registers."""
    values = kernel.values
    stage = tuple(max(0, -(-value.level // levels) - 1) for value in values)
    used = _used(kernel)
    cycles = 1 + max((stage[n] for n in used), default=0)
    last = dict.fromkeys(kernel.outputs, cycles)
    for number in used:
        for source in sources(values[number].operation):
            last[source] = max(last.get(source, 0), stage[number])
    registers = tuple(
        (number, at)
        for number in sorted(last)
        if not isinstance(values[number].operation, Constant)
        for at in range(stage[number] + 1, last[number] + 1)
    )
    return Stages(stage, registers, cycles)


def used_values(kernel: Kernel) -> tuple[int, ...]:
    """The numbers of the values that results depend on, in their order."""
    return tuple(sorted(_used(kernel)))


def _used(kernel: Kernel) -> set[int]:
    found: set[int] = set()
    left = list(kernel.outputs)
    while left:
        number = left.pop()
        if number not in found:
            found.add(number)
            left.extend(sources(kernel.values[number].operation))
    return found
