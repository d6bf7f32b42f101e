"""What a user may say about data."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edgeflow.data.preprocessing import Fit


class TaskChoice(StrEnum):
    """What is asked of the network; AUTO is what the data say."""

    AUTO = "auto"  # y of an .npz that is floating point: regression; x_train without y_train, or a
    # normal_class: anomaly; the rest: classification
    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    ANOMALY = "anomaly"


class Format(StrEnum):
    """Layouts of files that can be read; AUTO looks at the content."""

    AUTO = "auto"
    IMAGE_FOLDERS = "image-folders"
    WAV_FOLDERS = "wav-folders"
    NPZ = "npz"
    CIFAR10 = "cifar10"
    MNIST = "mnist"


class Color(StrEnum):
    """Channels of images; AUTO is gray exactly if every file is."""

    AUTO = "auto"
    GRAY = "gray"
    RGB = "rgb"


class Scaling(StrEnum):
    """How the constants of the affine map are found on the training part."""

    AUTO = "auto"  # RANGE for 8-bit data; the rest STANDARD, or NONE where value_range is given
    RANGE = "range"  # 0 to largest value becomes value_range; only for 8-bit data
    STANDARD = "standard"  # mean 0, deviation 1, for each channel (MFCC: for each coefficient)
    NONE = "none"  # the network takes the values as they are


class MfccOptions(BaseModel):
    """Front-end of WAV folders; durations in milliseconds. Defaults are those of MLPerf Tiny."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clip_ms: float = Field(default=1000.0, gt=0)
    frame_length_ms: float = Field(default=30.0, gt=0)
    frame_step_ms: float = Field(default=20.0, gt=0)
    mel_bins: int = Field(default=40, ge=1, le=512)
    lower_edge_hz: float = Field(default=20.0, ge=0)
    upper_edge_hz: float = Field(default=4000.0, gt=0)
    log_offset: float = Field(default=1e-6, gt=0)
    coefficients: int = Field(default=10, ge=1, le=512)


class DataOptions(BaseModel):
    """Where samples come from and how they are split and shaped.

    `source` is a built-in name (`digits`) or a path. `image_size` is (height, width). The fractions
    are of all samples; a part that the source itself defines is kept as it is. `sample_rate_hz`
    resamples WAV files; without it they must agree on one rate. `value_range` is what the network
    takes 8-bit data in: 0 to 1, or for a model that is integer already what its input holds. Data
    without labels is not split: all of it is test, and a scaling that is found is found on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "digits"
    format: Format = Format.AUTO
    task: TaskChoice = TaskChoice.AUTO
    normal_class: tuple[str, ...] = ()
    image_size: tuple[int, int] | None = None
    fit: Fit = Fit.CROP
    color: Color = Color.AUTO
    scaling: Scaling = Scaling.AUTO
    value_range: tuple[float, float] | None = None
    sample_rate_hz: int | None = Field(default=None, ge=1000, le=192_000)
    mfcc: MfccOptions = MfccOptions()
    validation_fraction: float = Field(default=0.15, gt=0, lt=1)
    test_fraction: float = Field(default=0.2, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    max_decoded_bytes: int = Field(default=4 * 1024**3, gt=0)

    @field_validator("normal_class", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _normal_class_is_for_anomalies(self) -> DataOptions:
        if self.normal_class and self.task not in (TaskChoice.AUTO, TaskChoice.ANOMALY):
            raise ValueError(f"task {self.task} and a normal_class contradict each other")
        return self

    @model_validator(mode="after")
    def _sizes(self) -> DataOptions:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must stay below 1")
        if self.image_size is not None and not all(1 <= n <= 1024 for n in self.image_size):
            raise ValueError("image_size must lie between 1 and 1024 pixels a side")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise ValueError("value_range must be [lowest, highest]")
        if self.value_range is not None and self.scaling in (Scaling.STANDARD, Scaling.NONE):
            raise ValueError(f"scaling {self.scaling} and a value_range contradict each other")
        if self.fit is Fit.NONE and self.image_size is not None:
            raise ValueError("fit none and an image_size contradict each other")
        return self
