"""What a user may say about float training."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Schedule(StrEnum):
    """Learning rate over the steps of a training."""

    ONE_CYCLE = "onecycle"  # up for 30 % of the steps, then down to nearly 0
    COSINE = "cosine"  # from the full rate down to 0


class Augmentation(StrEnum):
    """Random changes to training samples; what is cut away or moves in is zero in network units."""

    NONE = "none"
    SHIFT = "shift"  # up to 1/8 of each side: a random crop of the padded image
    TIME_SHIFT = "time-shift"  # up to 1/8 of the height: the time of MFCC frames
    FLIP = "flip"  # left-right, every second sample: natural scenes, not digits or letters
    FLIP_CROP = "flip-crop"  # flip, then shift
    CUTOUT = "cutout"  # one rectangle of zeros
    NOISE = "noise"  # Gaussian, its deviation drawn for each sample
    SPEC_AUGMENT = "spec-augment"  # bands of zeros in time (height) and frequency (width)
    MIXUP = "mixup"  # weighted means of two samples and of their targets


class ComputeDevice(StrEnum):
    """Where torch trains."""

    CPU = "cpu"
    CUDA = "cuda"


class TrainOptions(BaseModel):
    """Options of float training; results are bit-identical for equal options on one machine.

    `augmentation` is a name or a list of names; the order of a list has no meaning. `mixup_alpha`
    is the parameter of mixup's Beta distribution, `cutout_size` a fraction of each side,
    `noise_deviation` the largest deviation in network units. `ema` is the decay of an average of
    the weights over the steps, which is validated and kept in their place (0: off). Training stops
    after `patience` epochs without a better one (0: never). `mixed_precision` needs device "cuda".
    `sanity_checks` examines network and data before the first epoch and stops where training would
    be in vain.
    `seeds` counts networks, from `seed` on, of which the best on validation goes on; so does every
    one of `learning_rates`, where they are given in the place of `learning_rate`. Small networks
    train as one program (`train/together.py`).
    `threads` is part of the result, so it does not follow the machine: one is fastest for networks
    of about 1 million multiply-accumulates and below, larger ones gain from more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=40, ge=1, le=10_000)
    batch_size: int = Field(default=32, ge=2, le=65_536)
    learning_rate: float = Field(default=1e-2, gt=0)
    learning_rates: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(), max_length=64)
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Schedule = Schedule.ONE_CYCLE
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    augmentation: Augmentation | tuple[Augmentation, ...] = Augmentation.NONE
    mixup_alpha: float = Field(default=0.2, gt=0, le=100)
    cutout_size: float = Field(default=0.5, gt=0, le=1)
    noise_deviation: float = Field(default=0.1, gt=0, le=100)
    ema: float = Field(default=0.0, ge=0, lt=1)
    patience: int = Field(default=0, ge=0, le=10_000)
    sanity_checks: bool = True
    device: ComputeDevice = ComputeDevice.CPU
    mixed_precision: bool = False
    seed: int = Field(default=0, ge=0, lt=2**63)
    seeds: int = Field(default=1, ge=1, le=1024)
    threads: int = Field(default=1, ge=1, le=256)

    @field_validator("augmentation")
    @classmethod
    def _is_one_choice(
        cls, value: Augmentation | tuple[Augmentation, ...]
    ) -> Augmentation | tuple[Augmentation, ...]:
        if isinstance(value, Augmentation):
            return value
        if len(set(value)) != len(value):
            raise ValueError("a list names each augmentation once")
        if Augmentation.NONE in value and len(value) > 1:
            raise ValueError("'none' goes with no other augmentation")
        return value

    @field_validator("learning_rates")
    @classmethod
    def _rates_differ(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a list names each learning rate once")
        return value

    @property
    def trains_many(self) -> bool:
        """Whether a network is chosen from several seeds or learning rates."""
        return self.seeds > 1 or bool(self.learning_rates)

    @model_validator(mode="after")
    def _precision_suits_the_device(self) -> TrainOptions:
        if self.mixed_precision and self.device is ComputeDevice.CPU:
            raise ValueError("mixed_precision = true needs device = 'cuda'")
        return self

    @property
    def augmentations(self) -> frozenset[Augmentation]:
        """The chosen augmentations, none of them being the empty set."""
        chosen = self.augmentation
        names = (chosen,) if isinstance(chosen, Augmentation) else chosen
        return frozenset(names) - {Augmentation.NONE}
