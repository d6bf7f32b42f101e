"""What a network costs on a target, as growth asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeflow.figures import FigureKind
from edgeflow.nets.network import NetworkSpec


@dataclass(frozen=True)
class NetworkCost:
    """Costs of one inference, and of storing the network.

    `kind` is how `instructions` were found; bytes of weights are exact, `ram_bytes` is the largest
    sum of a layer's inputs and output.
    """

    instructions: float
    weight_bytes: int
    ram_bytes: int
    kind: FigureKind


CostOf = Callable[[NetworkSpec], NetworkCost]


@dataclass(frozen=True)
class DeviceCost:
    """What the deployed network takes on the device: the image whole, stack included in RAM."""

    instructions: int
    flash_bytes: int
    ram_bytes: int
    kind: FigureKind


@dataclass(frozen=True)
class Limits:
    """The most that a network may take; None where nothing limits it but the target."""

    instructions: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None

    def allow(self, cost: DeviceCost) -> bool:
        """Whether `cost` is within every limit."""
        pairs = (
            (cost.instructions, self.instructions),
            (cost.flash_bytes, self.flash_bytes),
            (cost.ram_bytes, self.ram_bytes),
        )
        return all(limit is None or value <= limit for value, limit in pairs)


Count = Callable[[NetworkSpec], DeviceCost | None]
"""Counts a network on the device; None where its memory does not hold it."""
