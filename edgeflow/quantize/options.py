"""What a user may say about quantization."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

WeightBits = Annotated[int, Field(ge=2, le=8)]


class QuantizeOptions(BaseModel):
    """Options of both parts; results are bit-identical for equal options on one machine.

    `epochs` 0 leaves out the fine-tuning. `soft_weight` is the share of the distance to the float
    network (classification: distillation loss, `temperature` softens both networks' outputs; else
    mean square), the rest is the task's own loss, such as cross-entropy with the labels.
    Activations have 8 bits always, weights `weight_bits`; the first and the last layer, and single
    layers by name, may have another width. `threads` is 1 because the steps are too small for more
    to pay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration_samples: int = Field(default=256, ge=1, le=100_000)
    epochs: int = Field(default=8, ge=0, le=10_000)
    learning_rate: float = Field(default=5e-4, gt=0)
    batch_size: int = Field(default=32, ge=1, le=65_536)
    temperature: float = Field(default=4.0, gt=0)
    soft_weight: float = Field(default=0.9, ge=0, le=1)
    weight_bits: WeightBits = 8
    first_and_last_weight_bits: WeightBits | None = None
    layer_weight_bits: dict[str, WeightBits] | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    threads: int = Field(default=1, ge=1, le=256)
