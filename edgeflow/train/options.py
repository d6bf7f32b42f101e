"""What a user may say about float training."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Schedule(StrEnum):
    """Learning rate over the steps of a training."""

    ONE_CYCLE = "onecycle"  # up for 30 % of the steps, then down to nearly 0
    COSINE = "cosine"  # from the full rate down to 0


class Augmentation(StrEnum):
    """Random changes to training samples, zero (in network units) moving in at the edges."""

    NONE = "none"
    SHIFT = "shift"  # up to 1/8 of each side
    TIME_SHIFT = "time-shift"  # up to 1/8 of the height: the time of MFCC frames
    FLIP_CROP = "flip-crop"  # left-right flip, and shift up to 1/8 of each side


class TrainOptions(BaseModel):
    """Options of float training; results are bit-identical for equal options on one machine.

    `threads` is part of the result, so it does not follow the machine: one is fastest for networks
    of about 1 million multiply-accumulates and below, larger ones gain from more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=40, ge=1, le=10_000)
    batch_size: int = Field(default=32, ge=2, le=65_536)
    learning_rate: float = Field(default=1e-2, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Schedule = Schedule.ONE_CYCLE
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    augmentation: Augmentation = Augmentation.NONE
    seed: int = Field(default=0, ge=0, lt=2**63)
    threads: int = Field(default=1, ge=1, le=256)
