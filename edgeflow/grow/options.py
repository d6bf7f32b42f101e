"""What a user may say about growth."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class GrowthMethod(StrEnum):
    """How new channels and units get their weights."""

    TINY = "tiny"  # what the layer's expressivity bottleneck lacks most
    GRADMAX = "gradmax"  # largest gradient at the new weights
    RANDOM = "random"  # drawn


class CostUnit(StrEnum):
    """What the gain of a growth is divided by."""

    INSTRUCTIONS = "instructions"
    WEIGHT_BYTES = "weight-bytes"


class GrowOptions(BaseModel):
    """Options of growth (`--grow` enables it); the network of [build] is what it starts from.

    In turn the network trains for `epochs` epochs and grows: by `neurons` channels or units (a
    sixth of the width where that is more) where the gain for each added unit of `cost` on the
    target is largest, or, where `deepen` is set and `patience` trainings in turn have not lowered
    the validation loss by the fraction `minimal_improvement`, by a cell that leaves the function as
    it is. Gains are found on `samples` training samples. Growth ends where the score
    on the validation part reaches `goal` (accuracy, by default that of [budget]; R2; R2 of what an
    autoencoder rebuilds), where nothing more fits the target and the budget, where `give_up`
    growths in turn have not raised the best score, or after `steps` growths; then the best network
    trains as [train] says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    method: GrowthMethod = GrowthMethod.TINY
    cost: CostUnit = CostUnit.INSTRUCTIONS
    neurons: int = Field(default=4, ge=1, le=1024)
    epochs: int = Field(default=4, ge=1, le=10_000)
    steps: int = Field(default=24, ge=0, le=1000)
    deepen: bool = True
    patience: int = Field(default=2, ge=1, le=100)
    minimal_improvement: float = Field(default=0.02, ge=0, lt=1)
    give_up: int = Field(default=8, ge=1, le=1000)
    samples: int = Field(default=512, ge=16, le=100_000)
    goal: float | None = None
