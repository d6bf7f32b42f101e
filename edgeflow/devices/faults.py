"""What went wrong on the emulated core, in words: where, why, and what was accessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.emulator import core_model
from edgeflow.errors import DeviceFaultError
from edgeflow.targets.schema import InstructionSet

_OVERFLOW_REACH_BYTES = 1 << 20


@dataclass(frozen=True)
class BadAccess:
    """An access that the memory map does not allow: unicorn's kind of access, address, bytes."""

    access: int
    address: int
    size_bytes: int


def describe_fault(
    uc: Any, image: FirmwareImage, error: Exception, bad_accesses: Sequence[BadAccess]
) -> DeviceFaultError:
    """The fault at which the emulator stopped, with program counter, function and address."""
    core = core_model(image.instruction_set)
    pc = uc.reg_read(core.pc) - _overshoot_bytes(image, error)
    where = place(image, pc)
    sp = uc.reg_read(core.sp)
    if not bad_accesses:
        return DeviceFaultError(
            f"The firmware faulted {where}: {_reason(image, pc, error)}.",
            hint="Report this as a defect unless the source was edited.",
        )
    bad_access = bad_accesses[-1]
    if _is_stack_overflow(image, sp, bad_access):
        return DeviceFaultError(
            f"The firmware overflowed its stack of {image.stack_bytes} bytes {where}: access to "
            f"{bad_access.address:#010x}, stack pointer {sp:#010x}.",
            hint="Raise firmware.stack_bytes of the target.",
        )
    return DeviceFaultError(
        f"The firmware faulted {where}: {_verb(bad_access.access)} {bad_access.size_bytes} bytes "
        f"at {bad_access.address:#010x}, which the target does not allow.",
        hint="Report this as a defect unless the source was edited.",
    )


def unaligned_access(
    image: FirmwareImage, pc: int, address: int, size_bytes: int
) -> DeviceFaultError:
    """The fault of a core that accesses memory only at multiples of the access's size."""
    return DeviceFaultError(
        f"The firmware faulted {place(image, pc)}: access to {size_bytes} bytes at "
        f"{address:#010x}, which is not aligned.",
        hint="Report this as a defect unless the source was edited.",
    )


def place(image: FirmwareImage, pc: int) -> str:
    """Where an address lies: "at ADDRESS in FUNCTION+OFFSET"."""
    symbol = image.symbol_at(pc)
    return f"at {pc:#010x}" + (f" in {symbol.name}+{pc - symbol.address:#x}" if symbol else "")


def _is_stack_overflow(image: FirmwareImage, sp: int, bad_access: BadAccess) -> bool:
    bottom = image.symbols["edgeflow_stack_bottom"].address
    return sp < bottom or 0 < bottom - bad_access.address <= min(
        _OVERFLOW_REACH_BYTES, bottom - sp + image.stack_bytes
    )


def _reason(image: FirmwareImage, pc: int, error: Exception) -> str:
    from unicorn import unicorn_const

    if not image.load_address <= pc < image.load_address + len(image.bin):
        return "it jumped out of its code"
    riscv = image.instruction_set is InstructionSet.RISCV
    reasons = {
        unicorn_const.UC_ERR_INSN_INVALID: "breakpoint" if riscv else "undefined instruction",
        unicorn_const.UC_ERR_EXCEPTION: "undefined instruction or environment call"
        if riscv
        else "exception (supervisor call or breakpoint)",
    }
    return reasons.get(getattr(error, "errno", -1), str(error))


def _overshoot_bytes(image: FirmwareImage, error: Exception) -> int:
    """The emulator leaves a RISC-V's program counter 4 bytes after an instruction that traps."""
    from unicorn import unicorn_const

    trapped = getattr(error, "errno", -1) == unicorn_const.UC_ERR_EXCEPTION
    return 4 if trapped and image.instruction_set is InstructionSet.RISCV else 0


def _verb(access: int) -> str:
    from unicorn import unicorn_const

    if access in (unicorn_const.UC_MEM_FETCH_UNMAPPED, unicorn_const.UC_MEM_FETCH_PROT):
        return "executing"
    if access in (unicorn_const.UC_MEM_WRITE_UNMAPPED, unicorn_const.UC_MEM_WRITE_PROT):
        return "writing"
    return "reading"
