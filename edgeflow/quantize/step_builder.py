"""Steps under construction, while the nodes of torch.export are walked through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from edgeflow.errors import UnsupportedOperatorError
from edgeflow.quantize.network import INPUT, Step

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Operand:
    """A tensor that depends on the input: its name and its shape, batch excluded."""

    name: str
    shape: tuple[int, ...]


class Builder:
    """Collects steps in order while the exported nodes are walked through."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.steps: list[Step] = []
        self.operators: dict[str, nn.Module] = {}
        self.shapes = {INPUT: input_shape}
        self.shape: tuple[int, ...] = ()
        self._base_name = ""
        self._operator = ""
        self._where = ""

    def enter(self, base_name: str, operator: str, where: str, shape: tuple[int, ...]) -> None:
        """Begin a node: name for its steps, operator, place, and shape without the batch."""
        self._base_name, self._operator, self._where = base_name, operator, where
        self.shape = shape

    def add(
        self,
        operator: nn.Module,
        inputs: tuple[Operand, ...],
        shape: tuple[int, ...],
        part: str = "",
    ) -> Operand:
        """Append a step; `part` tells apart the steps of one node."""
        name = self._unused_name(part)
        self.steps.append(Step(name, tuple(x.name for x in inputs), shape, self._where))
        self.operators[name] = operator
        return Operand(name, shape)

    def refuse(self, reason: str, hint: str = "") -> UnsupportedOperatorError:
        """The error for an attribute outside the integer graph's set."""
        return UnsupportedOperatorError(
            f"{self._operator} in {self._where}: {reason}",
            hint=hint or "change this layer; the rest of the network is not the problem",
        )

    def _unused_name(self, part: str) -> str:
        base = f"{self._base_name}.{part}" if part else self._base_name
        name, count = base, 1
        while name in self.operators or name == INPUT:
            name, count = f"{base}_{count}", count + 1
        return name


def pair(value: Any, otherwise: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    """(h, w) of an attribute that may be one figure, two, or left out."""
    values = [value] if isinstance(value, int) else list(value)
    if not values:
        return otherwise
    return (int(values[0]), int(values[-1]))


def dimensions(value: Any, rank: int) -> tuple[int, ...]:
    """Ascending dimensions, counted from the front, of a tensor of `rank` with the batch."""
    values = [value] if isinstance(value, int) else list(value)
    return tuple(sorted(int(v) % rank for v in values))


def require_rank(b: Builder, x: Operand, rank: int) -> None:
    """Refuse a tensor that has not `rank` dimensions, batch included."""
    if len(x.shape) + 1 != rank:
        wanted = {4: "[N, C, H, W]", 2: "[N, C]"}[rank]
        raise b.refuse(f"needs a tensor {wanted}, and has one with {len(x.shape) + 1} dimensions")
