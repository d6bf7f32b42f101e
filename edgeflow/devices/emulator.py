"""The emulated core of a target with its memory: what is mapped, and what may be done there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.harness import address_of
from edgeflow.errors import DeviceFaultError, TargetFileError
from edgeflow.targets.schema import InstructionSet, MemoryKind, MemoryRegion, Target

_PAGE_BYTES = 4096


@dataclass(frozen=True)
class CoreModel:
    """How unicorn names a core: architecture, mode, processor models, registers by their numbers.

    `reset(image)` gives the stack pointer (None where startup code sets it) and the program counter
    that the core starts with; `code_bit` is set in addresses that start code.
    """

    architecture: int
    mode: int
    constants: Any
    model_prefix: str
    pc: int
    sp: int
    lr: int
    code_bit: int
    reset: Callable[[FirmwareImage], tuple[int | None, int]]


def core_model(instruction_set: InstructionSet) -> CoreModel:
    """The emulator's words for a family of cores."""
    import unicorn
    from unicorn import arm_const, riscv_const

    if instruction_set is InstructionSet.RISCV:
        return CoreModel(
            architecture=unicorn.UC_ARCH_RISCV,
            mode=unicorn.UC_MODE_RISCV32,
            constants=riscv_const,
            model_prefix="UC_CPU_RISCV32_",
            pc=riscv_const.UC_RISCV_REG_PC,
            sp=riscv_const.UC_RISCV_REG_SP,
            lr=riscv_const.UC_RISCV_REG_RA,
            code_bit=0,
            reset=lambda image: (None, address_of(image, "edgeflow_reset")),
        )
    return CoreModel(
        architecture=unicorn.UC_ARCH_ARM,
        mode=unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS,
        constants=arm_const,
        model_prefix="UC_CPU_ARM_CORTEX_M",
        pc=arm_const.UC_ARM_REG_PC,
        sp=arm_const.UC_ARM_REG_SP,
        lr=arm_const.UC_ARM_REG_LR,
        code_bit=1,
        reset=lambda image: struct.unpack_from("<II", image.bin),
    )


def emulator_with(target: Target, image: FirmwareImage) -> Any:
    """A `unicorn.Uc` of the target's core with the image in flash.

    Flash is read and executed but never written, RAM ends where the target's RAM ends and cannot be
    executed, and nothing else is mapped, so that every access elsewhere is a fault. RAM regions
    that the firmware is not linked to are left out too: what reached them would be an error.
    """
    from unicorn import unicorn_const

    if image.instruction_set is not target.core.instruction_set:
        raise DeviceFaultError(
            f"The image is for {image.instruction_set} and {target.name} is not.",
            hint="Build the firmware for this target.",
        )
    uc = _core(target)
    flash, ram = target.region(MemoryKind.FLASH), target.region(MemoryKind.RAM)
    read = unicorn_const.UC_PROT_READ
    _map(uc, target, flash, read | unicorn_const.UC_PROT_EXEC)
    _map(uc, target, ram, read | unicorn_const.UC_PROT_WRITE)
    end = image.load_address + len(image.bin)
    if image.load_address < flash.origin or end > flash.origin + flash.size_bytes:
        raise DeviceFaultError(
            f"The image lies from {image.load_address:#010x} to {end:#010x}, outside of the flash "
            f"of {target.name}.",
            hint="Build the firmware for this target.",
        )
    uc.mem_write(image.load_address, image.bin)
    return uc


def _core(target: Target) -> Any:
    import unicorn

    core = core_model(target.core.instruction_set)
    name = target.runner.cpu_model
    model = getattr(core.constants, name, None)
    if not name.startswith(core.model_prefix) or model is None:
        known = sorted(n for n in dir(core.constants) if n.startswith(core.model_prefix))
        raise TargetFileError(
            f"Target {target.name}: runner.cpu_model: there is no {name!r}.",
            hint=f"Allowed: {', '.join(known)}.",
        )
    uc = unicorn.Uc(core.architecture, core.mode)
    uc.ctl_set_cpu_model(model)
    return uc


def _map(uc: Any, target: Target, region: MemoryRegion, permissions: int) -> None:
    if region.origin % _PAGE_BYTES or region.size_bytes % _PAGE_BYTES:
        raise TargetFileError(
            f"Target {target.name}: memory region {region.name!r} at {region.origin:#x} with "
            f"{region.size_bytes} bytes cannot be emulated: it is no whole number of "
            f"{_PAGE_BYTES}-byte pages.",
            hint="State the region in whole pages.",
        )
    uc.mem_map(region.origin, region.size_bytes, permissions)
