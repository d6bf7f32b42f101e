"""How a network grew, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edgeflow.grow.cost import CostOf, Count, DeviceCost, Limits
from edgeflow.nets.network import NetworkSpec

if TYPE_CHECKING:
    from edgeflow.train.fit import EpochRecord, TrainedNetwork


class Stopped(StrEnum):
    """Why growth ended."""

    GOAL = "the goal is reached"
    LIMITS = "nothing more fits the target and the budget"
    NO_GAIN = "no growth lowers the loss"
    STANDSTILL = "growth no longer raises the score"
    STEPS = "all growth steps are taken"


@dataclass(frozen=True, eq=False)
class Terms:
    """What growth is measured by: costs by estimate and by count, limits, and the goal if any."""

    estimate: CostOf
    count: Count
    limits: Limits
    goal: float | None

    def allowed(self, spec: NetworkSpec) -> DeviceCost | None:
        """The counted cost of a network; None where the target or a limit does not allow it."""
        cost = self.count(spec)
        return cost if cost is not None and self.limits.allow(cost) else None


@dataclass(frozen=True)
class GrowthPoint:
    """The network after one training: `score` is the objective's on the validation part.

    `epochs` counts from the start; `action` is how the network before became this one.
    """

    action: str
    epochs: int
    parameters: int
    score: float
    cost: DeviceCost


@dataclass(frozen=True, eq=False)
class Grown:
    """The network that growth ended with, trained as [train] says, and how it got there.

    `history` are the epochs of all trainings, numbered through.
    """

    spec: NetworkSpec
    trained: TrainedNetwork
    curve: tuple[GrowthPoint, ...]
    history: tuple[EpochRecord, ...]
    stopped: Stopped
