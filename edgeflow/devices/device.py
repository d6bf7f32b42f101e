"""What a device is: it takes an image and inputs, and answers with outputs and exact counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.source import INVOKE_SYMBOL as INVOKE_SYMBOL
from edgeflow.errors import DataError
from edgeflow.figures import FigureKind

Artifact = TypeVar("Artifact", contravariant=True)


@dataclass(frozen=True)
class RunLimits:
    """When a run counts as hung: instructions for one inference, wall seconds for the whole run."""

    instructions: int = 4_000_000_000
    seconds: float = 3600.0


@dataclass(frozen=True, eq=False)
class LayerInstructions:
    """Instructions that one layer executed: int64 [N], one count for each inference.

    Functions that a layer calls count for it. `node_name` is empty for `edgeflow_invoke` itself.
    """

    symbol: str
    node_name: str
    instructions: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DeviceRun:
    """The answers of a device to N inputs.

    `outputs` is int8 [N, output bytes]. `instructions` is int64 [N], from the entry of
    `edgeflow_invoke` to its return, and the sum of `layers`; both are empty on a device that does
    not count. `stack_bytes` is the most stack that was ever written, startup included; None where
    it cannot be known. `kind` says how the counts came to be, `source` where.
    """

    outputs: NDArray[np.int8]
    instructions: NDArray[np.int64]
    layers: tuple[LayerInstructions, ...]
    stack_bytes: int | None
    kind: FigureKind
    source: str


class Device(Protocol[Artifact]):
    """Where an artifact runs: a firmware image, or a library of this host."""

    def run(self, artifact: Artifact, /, inputs: NDArray[np.int8], limits: RunLimits) -> DeviceRun:
        """Run one inference for each of the N inputs, int8 [N, ...] of its input size.

        Raises DeviceFaultError with the place of a fault, DeviceTimeoutError beyond a limit,
        DataError when the inputs are not what the artifact takes.
        """
        ...


def flat_inputs(inputs: NDArray[np.int8], input_bytes: int) -> NDArray[np.int8]:
    """The inputs as int8 [N, input_bytes]; raises DataError for other sizes or types."""
    if inputs.dtype != np.int8 or inputs.ndim < 2 or inputs[:1].size not in (0, input_bytes):
        raise DataError(
            f"The firmware takes int8 inputs of {input_bytes} bytes; "
            f"these are {inputs.dtype} of shape {list(inputs.shape)}.",
            hint="Pass one row for each inference, quantized with the network's input scale.",
        )
    return np.ascontiguousarray(inputs.reshape(len(inputs), -1 if len(inputs) else input_bytes))
