"""How large the arena of an interpreter must be: found by running it on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.tflm import glue
from edgeflow.devices.device import Device, RunLimits
from edgeflow.errors import DoesNotFitError

_FIRST_STEP_BYTES = 512
_LIMITS = RunLimits(instructions=400_000_000, seconds=300.0)


@dataclass(frozen=True)
class ArenaNeed:
    """`used_bytes` says the interpreter; `bytes` is the arena in which it starts.

    Setting up takes memory for a while that `used_bytes` does not count.
    """

    used_bytes: int
    bytes: int


def find_arena(
    probe: Callable[[int], FirmwareImage], device: Device[FirmwareImage], largest_bytes: int
) -> ArenaNeed:
    """Run `probe` images, made for arenas of a size, until the interpreter starts in one.

    Raises DoesNotFitError where it does not start in `largest_bytes`.
    """
    used = _used_bytes(probe(largest_bytes), device)
    if used == 0:
        raise DoesNotFitError(
            f"TFLM's interpreter does not start with an arena of {largest_bytes:,} bytes.",
            hint="Use a smaller network or a target with more memory.",
        )
    fitting = -(-used // glue.ALIGNMENT_BYTES) * glue.ALIGNMENT_BYTES
    size, step = fitting, _FIRST_STEP_BYTES
    while size < largest_bytes and _used_bytes(probe(size), device) == 0:
        size, step = fitting + step, 2 * step
    return ArenaNeed(used, min(size, largest_bytes))


def _used_bytes(image: FirmwareImage, device: Device[FirmwareImage]) -> int:
    run = device.run(image, np.zeros((1, image.input_bytes), dtype=np.int8), _LIMITS)
    return int(run.outputs[0].view("<u4")[0])
