"""Thumb-2 instructions as far as their cycles differ: class, length, registers transferred.

Encodings: Armv7-M Architecture Reference Manual, DDI 0403, chapter A5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class InstructionClass(Enum):
    """Instructions whose cycles are told apart; OTHER takes one."""

    OTHER = auto()
    LOAD = auto()
    LOAD_LITERAL = auto()
    STORE_IMMEDIATE = auto()
    STORE_REGISTER = auto()
    MULTIPLE = auto()
    DIVIDE = auto()
    TABLE_BRANCH = auto()
    SYSTEM = auto()
    IF_THEN = auto()


@dataclass(frozen=True)
class Instruction:
    """One instruction: `registers` that LDM, STM, PUSH, POP, LDRD, STRD transfer."""

    kind: InstructionClass
    size_bytes: int
    registers: int = 0


def decode(first: int, second: int) -> Instruction:
    """The instruction that begins with two halfwords, of which a short one is only the first."""
    if first >> 11 in (0b11101, 0b11110, 0b11111):
        kind, registers = _wide(first, second)
        return Instruction(kind, 4, registers)
    kind, registers = _narrow(first)
    return Instruction(kind, 2, registers)


def conditional_instructions(first: int) -> int:
    """How many instructions after IT are conditional."""
    mask = first & 0xF
    return 4 - ((mask & -mask).bit_length() - 1)


def _narrow(first: int) -> tuple[InstructionClass, int]:
    top = first >> 11
    if top == 0b01001:
        return InstructionClass.LOAD_LITERAL, 0
    if first >> 12 == 0b0101:
        is_store = (first >> 9) & 0b111 < 0b011
        return InstructionClass.STORE_REGISTER if is_store else InstructionClass.LOAD, 0
    if 0b01100 <= top <= 0b10011:  # word, byte, halfword, relative to the stack pointer
        return InstructionClass.LOAD if top & 1 else InstructionClass.STORE_IMMEDIATE, 0
    if first & 0xF600 == 0xB400:  # PUSH and POP; bit 8 is LR or PC
        return InstructionClass.MULTIPLE, (first & 0x1FF).bit_count()
    if first >> 12 == 0b1100:
        return InstructionClass.MULTIPLE, (first & 0xFF).bit_count()
    if first & 0xFF00 == 0xBF00 and first & 0xF:
        return InstructionClass.IF_THEN, 0
    if first & 0xFFE0 == 0xB660:  # CPS
        return InstructionClass.SYSTEM, 0
    return InstructionClass.OTHER, 0


def _wide(first: int, second: int) -> tuple[InstructionClass, int]:
    if first & 0xFE40 == 0xE800:
        return InstructionClass.MULTIPLE, second.bit_count()
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:
        return InstructionClass.TABLE_BRANCH, 0
    if first & 0xFE40 == 0xE840:
        is_exclusive = first & 0xFF60 == 0xE840
        return (InstructionClass.LOAD, 0) if is_exclusive else (InstructionClass.MULTIPLE, 2)
    if first & 0xFE00 == 0xF800:
        return _wide_single(first, second), 0
    if first & 0xFFD0 == 0xFB90:
        return InstructionClass.DIVIDE, 0
    if first & 0xFF80 == 0xF380 and second & 0xD000 == 0x8000:  # MSR, MRS, barriers
        return InstructionClass.SYSTEM, 0
    return InstructionClass.OTHER, 0


def _wide_single(first: int, second: int) -> InstructionClass:
    if first & 0x10:
        is_literal = first & 0xF == 15
        return InstructionClass.LOAD_LITERAL if is_literal else InstructionClass.LOAD
    is_register = not first & 0x80 and second & 0x0FC0 == 0
    return InstructionClass.STORE_REGISTER if is_register else InstructionClass.STORE_IMMEDIATE
