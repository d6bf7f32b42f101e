"""The emulated core of a target with its memory: what is mapped, and what may be done there."""

from __future__ import annotations

from typing import Any

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.errors import DeviceFaultError, TargetFileError
from edgeflow.targets.schema import MemoryKind, MemoryRegion, Target

_PAGE_BYTES = 4096


def emulator_with(target: Target, image: FirmwareImage) -> Any:
    """A `unicorn.Uc` of the target's core with the image in flash.

    Flash is read and executed but never written, RAM ends where the target's RAM ends and cannot be
    executed, and nothing else is mapped, so that every access elsewhere is a fault. RAM regions
    that the firmware is not linked to are left out too: what reached them would be an error.
    """
    from unicorn import unicorn_const

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
    from unicorn import arm_const

    model = getattr(arm_const, target.runner.cpu_model, None)
    if not target.runner.cpu_model.startswith("UC_CPU_ARM_") or model is None:
        known = sorted(n for n in dir(arm_const) if n.startswith("UC_CPU_ARM_CORTEX_M"))
        raise TargetFileError(
            f"Target {target.name}: runner.cpu_model: there is no {target.runner.cpu_model!r}.",
            hint=f"Allowed: {', '.join(known)}.",
        )
    mode = unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, mode)
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
