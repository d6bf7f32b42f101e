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
    sum of a layer's inputs, output and scratch.
    """

    instructions: float
    weight_bytes: int
    ram_bytes: int
    kind: FigureKind


CostOf = Callable[[NetworkSpec], NetworkCost]
