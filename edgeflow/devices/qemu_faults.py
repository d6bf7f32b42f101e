"""How a run in QEMU ended other than by its last answer, in words."""

from __future__ import annotations

import struct
from pathlib import Path

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import RunLimits
from edgeflow.devices.faults import place
from edgeflow.devices.harness import check_stack, stack_high_water_bytes
from edgeflow.devices.qemu_session import SessionResult, SessionState, read_ram
from edgeflow.errors import DeviceError, DeviceFaultError, DeviceTimeoutError, ToolFailedError
from edgeflow.targets.schema import InstructionSet, MemoryRegion

_FAULT_RECORD = "edgeflow_fault_record"
_EXCEPTIONS = {
    InstructionSet.THUMB: {2: "NMI", 3: "HardFault", 11: "supervisor call"},
    InstructionSet.RISCV: {
        1: "instruction fetch outside of memory",
        2: "undefined instruction",
        3: "breakpoint",
        4: "unaligned load",
        5: "load outside of memory",
        6: "unaligned store",
        7: "store outside of memory",
        11: "environment call",
    },
}
_DEFECT = "Report this as a defect unless the source was edited."


def describe_end(
    directory: Path,
    image: FirmwareImage,
    ram: MemoryRegion,
    result: SessionResult,
    limits: RunLimits,
    stderr: str,
) -> DeviceError:
    """The fault or limit that ended a run; `stderr` is what the emulator said."""
    if result.state is SessionState.OUT_OF_INSTRUCTIONS:
        return timeout(image, f"{limits.instructions} instructions for one inference", result)
    check_stack(image, result.stack[:4])
    used = f"{stack_high_water_bytes(result.stack)} of {image.stack_bytes} bytes of stack were used"
    where = place(image, result.block)
    if result.state is SessionState.HALTED:
        return _recorded(directory, image, ram, where, used)
    reasons = {
        SessionState.ASLEEP: f"stopped after {where} before it answered: the core sleeps (WFI)",
        SessionState.OUTSIDE_OF_CODE: f"jumped out of its code, to {result.block:#010x}",
        SessionState.BUFFERS_OUTSIDE_OF_RAM: "says that its buffers lie outside of RAM",
    }
    lines = [line for line in stderr.splitlines() if line.strip()]
    unknown = f"ended the emulator {where}: {lines[0] if lines else 'it said nothing'}"
    reason = reasons.get(result.state, unknown)
    return DeviceFaultError(f"The firmware {reason} ({used}).", hint=_DEFECT)


def timeout(image: FirmwareImage, limit: str, result: SessionResult) -> DeviceTimeoutError:
    """A run that did not end within a limit."""
    return DeviceTimeoutError(
        f"The firmware did not answer within {limit}; it runs {place(image, result.block)}.",
        hint="Raise the limit if the network is that large; otherwise the firmware hangs.",
    )


def did_not_start(machine: str, stderr: str) -> ToolFailedError:
    """An emulator that ended before the first instruction."""
    words = stderr.strip() or "it ended without a message"
    return ToolFailedError(
        f"QEMU could not start the board {machine!r}:\n{words}",
        hint="Check the target's runner and that QEMU was built with plugins (Debian's is).",
    )


def _recorded(
    directory: Path, image: FirmwareImage, ram: MemoryRegion, where: str, used: str
) -> DeviceFaultError:
    """What the firmware's fault handler wrote down before it halted."""
    symbol = image.symbols.get(_FAULT_RECORD)
    data = read_ram(directory, ram, symbol.address - ram.origin, 8) if symbol else b""
    exception, pc = struct.unpack("<II", data) if len(data) == 8 else (0, 0)
    if exception == 0:
        return DeviceFaultError(f"The firmware halted {where} ({used}).", hint=_DEFECT)
    reason = _EXCEPTIONS[image.instruction_set].get(exception, f"exception {exception}")
    return DeviceFaultError(
        f"The firmware faulted {place(image, pc)}: {reason} ({used}).", hint=_DEFECT
    )
