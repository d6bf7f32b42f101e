"""Exact instructions of every layer of a program, between the marks that its runner sets.

A plugin of QEMU's user mode writes the instructions so far at every mark. What two marks take that
have nothing between them is taken off; a layer has the few instructions of its call.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.native.program import NativeProgram, whole_layers
from edgeflow.devices.device import LayerInstructions, RunLimits
from edgeflow.devices.linux_session import local_session
from edgeflow.devices.qemu_plugin import FIRST_API_VERSION, WANTED_API, user_plugin
from edgeflow.errors import DeviceFaultError

COUNTED_INPUTS = 8
_PLUGIN = "plugin.so"


@dataclass(frozen=True, eq=False)
class Counts:
    """Instructions of the first inputs: int64 [inputs], and of each layer."""

    instructions: NDArray[np.int64]
    layers: tuple[LayerInstructions, ...]


NO_COUNTS = Counts(np.empty(0, dtype=np.int64), ())


def count_instructions(
    program: NativeProgram,
    rows: NDArray[np.int8],
    limits: RunLimits,
    prefix: tuple[str, ...],
    source: str,
) -> Counts:
    """Count the first rows; none where layers run for bands of rows. Errors as `Session.start`."""
    layers = whole_layers(program.layers)
    counted = rows[:COUNTED_INPUTS]
    if not layers or not len(counted):
        return NO_COUNTS
    told = _marks(program, counted, limits, (*prefix, "-plugin", f"./{_PLUGIN}"), source)
    marks = np.array(told, dtype=np.int64)
    if marks.size != 2 + 2 * len(counted) * len(layers):
        raise DeviceFaultError(
            f"The emulator saw {marks.size} marks of {len(counted)} inferences of {len(layers)} "
            "layers.",
            hint="Report this as a defect, with the version of QEMU.",
        )
    pairs = marks[2:].reshape(len(counted), len(layers), 2)
    instructions = pairs[..., 1] - pairs[..., 0] - (marks[1] - marks[0])
    return Counts(
        instructions.sum(axis=1),
        tuple(
            LayerInstructions(layer.symbol, layer.node_name, instructions[:, index].copy())
            for index, layer in enumerate(layers)
        ),
    )


def _marks(
    program: NativeProgram,
    rows: NDArray[np.int8],
    limits: RunLimits,
    prefix: tuple[str, ...],
    source: str,
) -> tuple[int, ...]:
    """What the plugin wrote; with the version of QEMU's plugin interface that it asks for."""
    version = FIRST_API_VERSION
    with local_session(program.runner, prefix, source) as session:
        session.put("inputs", rows.tobytes())
        session.put(_PLUGIN, user_plugin(version))
        try:
            session.start(("marks", "inputs"), limits.seconds)
        except DeviceFaultError as error:
            wanted = WANTED_API.search(error.message)
            if wanted is None:
                raise
            session.put(_PLUGIN, user_plugin(int(wanted[1])))
            session.start(("marks", "inputs"), limits.seconds)
        content = session.get("counts")
    return struct.unpack(f"<{len(content) // 8}Q", content)
