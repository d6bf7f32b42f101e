"""A cycle estimate for the Cortex-M4: exact execution counts times cycles from its manual.

Source: Arm Cortex-M4 Technical Reference Manual, 100166, section 3.3 (table 3-1 and load/store
timings), for memory without wait states. Where the manual leaves a choice to the surrounding code
or to the data, the range has both ends:

- a single load takes 2 cycles, 1 directly after another single load or store where the address
  phases overlap, one more for a literal that competes with fetching;
- a store takes 1 to 2 cycles with an immediate offset, 2 with a register offset, 1 after a load;
- one more cycle where the address may come from a data operation directly before;
- several registers take one cycle each and one more; a division takes 2 to 12;
- a taken branch refills the pipeline in 1 to 3 cycles;
- IT takes none where it is folded, and an instruction whose condition fails takes 1.

Not in it: wait states of flash, caches, interrupts. Firmware has no floating-point instructions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import RunLimits
from edgeflow.devices.flow_counter import CodeFlow
from edgeflow.devices.thumb import Instruction, InstructionClass, conditional_instructions, decode
from edgeflow.devices.unicorn_mcu import UnicornMcu
from edgeflow.targets.schema import RunnerKind, Target

SOURCE = "instruction timings of the Cortex-M4 manual (Arm 100166), no wait states"

_REFILL = (1, 3)
_SINGLE = frozenset(
    {
        InstructionClass.LOAD,
        InstructionClass.LOAD_LITERAL,
        InstructionClass.STORE_IMMEDIATE,
        InstructionClass.STORE_REGISTER,
    }
)
_ADDRESSED = _SINGLE | {InstructionClass.MULTIPLE}
# Fewest and most cycles on their own.
_CYCLES = {
    InstructionClass.OTHER: (1, 1),
    InstructionClass.LOAD: (2, 2),
    InstructionClass.LOAD_LITERAL: (2, 3),
    InstructionClass.STORE_IMMEDIATE: (1, 2),
    InstructionClass.STORE_REGISTER: (2, 2),
    InstructionClass.DIVIDE: (2, 12),
    InstructionClass.TABLE_BRANCH: (2, 2),
    InstructionClass.SYSTEM: (1, 4),
    InstructionClass.IF_THEN: (0, 1),
}


@dataclass(frozen=True)
class CycleEstimate:
    """Cycles of one inference, fewest and most, and the instructions that they are for."""

    low: int
    high: int
    instructions: int


def estimate_cycles(
    target: Target, image: FirmwareImage, row: NDArray[np.int8], limits: RunLimits
) -> CycleEstimate | None:
    """The cycles of one inference on `row`, int8 [1, ...]; None for cores that have no model."""
    if target.core.name != "Cortex-M4" or target.runner.kind is not RunnerKind.UNICORN:
        return None
    return cycles_of(image, UnicornMcu(target).flow(image, row, limits))


def cycles_of(image: FirmwareImage, flow: CodeFlow) -> CycleEstimate:
    """The cycles of what ran."""
    code = struct.unpack(f"<{len(image.bin) // 2}H", image.bin[: len(image.bin) // 2 * 2])
    taken = int(flow.taken.sum())
    low, high, instructions = taken * _REFILL[0], taken * _REFILL[1], 0
    at, conditional = 0, 0
    previous: Instruction | None = None
    while at < len(code):
        times = int(flow.executions[at])
        if times == 0:  # never run: other code, or constants
            at, conditional, previous = at + 1, 0, None
            continue
        instruction = decode(code[at], code[at + 1] if at + 1 < len(code) else 0)
        fewest, most = _cycles(instruction, previous)
        low += times * (min(fewest, 1) if conditional else fewest)
        high += times * most
        instructions += times
        conditional = max(conditional - 1, 0)
        if instruction.kind is InstructionClass.IF_THEN:
            conditional = conditional_instructions(code[at])
        previous = instruction
        at += instruction.size_bytes // 2
    return CycleEstimate(low, high, instructions)


def _cycles(instruction: Instruction, previous: Instruction | None) -> tuple[int, int]:
    """Fewest and most cycles after the instruction that lies before."""
    kind = instruction.kind
    if kind is InstructionClass.MULTIPLE:
        fewest = most = 1 + instruction.registers
    else:
        fewest, most = _CYCLES[kind]
    if kind in _SINGLE and previous is not None and previous.kind in _SINGLE:
        fewest = 1
    if kind in _ADDRESSED and (previous is None or previous.kind not in _ADDRESSED):
        most += 1
    return fewest, most
