"""Which device runs the artifacts of a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import Device
from edgeflow.devices.qemu_mcu import QemuMcu
from edgeflow.devices.unicorn_mcu import UnicornMcu
from edgeflow.targets.schema import RunnerKind, Target

RUNNERS: Mapping[RunnerKind, Callable[[Target], Device[FirmwareImage]]] = {
    RunnerKind.UNICORN: UnicornMcu,
    RunnerKind.QEMU: QemuMcu,
}


def device_for(target: Target) -> Device[FirmwareImage]:
    """The device that the target's runner names."""
    return RUNNERS[target.runner.kind](target)
