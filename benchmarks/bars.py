"""The bars: how much of the yardstick's cost edgeflow's firmware may have on a core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.measurement import Measurement
from edgeflow.targets.schema import Target


@dataclass(frozen=True)
class Bars:
    """Fractions of the yardstick's figures: at most that much."""

    instructions: float
    ram: float = 0.7
    flash: float = 0.4


BARS: Mapping[str, Bars] = MappingProxyType(
    {
        "Cortex-M4": Bars(instructions=0.6),
        "Cortex-M7": Bars(instructions=0.6),
        "Cortex-M55": Bars(instructions=0.75),
        "Cortex-M85": Bars(instructions=0.75),
    }
)


@dataclass(frozen=True)
class Ratio:
    """One figure of ours against the yardstick's; `bar` None where no bar is set for the core."""

    quantity: str
    ours: float
    yardstick: float
    bar: float | None

    @property
    def value(self) -> float:
        """Ours as a fraction of the yardstick."""
        return self.ours / self.yardstick

    @property
    def passed(self) -> bool | None:
        """Whether the bar holds; None where there is none."""
        return None if self.bar is None else self.value <= self.bar


@dataclass(frozen=True, eq=False)
class Row:
    """One model on one core: ours, and the yardstick with the ratios where it was measured."""

    core: str
    ours: Measurement
    yardstick: Measurement | None
    ratios: tuple[Ratio, ...]


def ram_bytes(measurement: Measurement) -> int:
    """Arena plus stack."""
    return measurement.arena_bytes + measurement.stack_bytes


def flash_beyond_bytes(measurement: Measurement) -> int:
    """Flash beyond weights and biases, or beyond the model file that holds them."""
    return measurement.flash_bytes - measurement.weight_bytes


def ratios(ours: Measurement, yardstick: Measurement, target: Target) -> tuple[Ratio, ...]:
    """Ours against the yardstick's, both of one model on one target."""
    bars = BARS.get(target.core.name)
    return (
        Ratio(
            "instructions",
            ours.instructions,
            yardstick.instructions,
            bars and bars.instructions,
        ),
        Ratio("RAM: arena and stack", ram_bytes(ours), ram_bytes(yardstick), bars and bars.ram),
        Ratio(
            "flash beyond weights and biases",
            flash_beyond_bytes(ours),
            flash_beyond_bytes(yardstick),
            bars and bars.flash,
        ),
    )
