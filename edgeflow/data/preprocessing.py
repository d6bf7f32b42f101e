"""What must happen to raw data before the network sees it; travels in the bundle as JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from edgeflow.errors import DataError


class Frozen(BaseModel):
    """Base of the serialisable values of this room: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Axis(StrEnum):
    """The axis of HWC along which scale and offset vary."""

    CHANNEL = "channel"
    WIDTH = "width"


class Fit(StrEnum):
    """How an image comes to the network's height and width (bilinear with antialiasing)."""

    NONE = "none"  # every image already has that size
    CROP = "crop"  # scale so that it covers the size, then cut out the centre
    STRETCH = "stretch"  # scale both sides, aspect ratio lost


class Affine(Frozen):
    """float = raw * scale + offset; one entry, or one for each index of `axis`."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    axis: Axis = Axis.CHANNEL


class RawFeatures(Frozen):
    """The raw data is the network's input up to the affine map."""

    kind: Literal["features"] = "features"


class ImageFrontEnd(Frozen):
    """Raw data is an 8-bit image; gives height x width x channels (1 gray, 3 RGB).

    Colour becomes gray by `luma` (0.299 R + 0.587 G + 0.114 B). Fit crop cuts the centre with the
    wanted aspect ratio out, stretch takes all; then the size is changed by `resampling`.
    """

    kind: Literal["image"] = "image"
    height: int
    width: int
    channels: int
    fit: Fit = Fit.NONE
    resampling: Literal["bilinear-antialiased"] = "bilinear-antialiased"
    luma: Literal["itu-r-bt601"] = "itu-r-bt601"


class MfccFrontEnd(Frozen):
    """Raw data is 16-bit PCM, one channel; gives frames x coefficients x 1.

    clip (zero-padded or cut at its end to `clip_samples`) / 32768, frames of `frame_length_samples`
    every `frame_step_samples`, periodic Hann window, zero-padded FFT, magnitude, triangular mel
    filters (HTK scale, no area normalisation), ln(mel + log_offset), DCT, first `coefficients`.
    """

    kind: Literal["mfcc"] = "mfcc"
    sample_rate_hz: int = Field(gt=0)
    clip_samples: int = Field(gt=0)
    frame_length_samples: int = Field(gt=0)
    frame_step_samples: int = Field(gt=0)
    fft_length: int = Field(gt=0)
    mel_bins: int = Field(gt=0)
    lower_edge_hz: float = Field(ge=0)
    upper_edge_hz: float = Field(gt=0)
    log_offset: float = Field(gt=0)
    coefficients: int = Field(gt=0)
    window: Literal["hann-periodic"] = "hann-periodic"
    spectrum: Literal["magnitude"] = "magnitude"
    mel_scale: Literal["htk"] = "htk"
    dct_type: Literal[2] = 2
    dct_normalization: Literal["ortho"] = "ortho"

    @property
    def frames(self) -> int:
        """Whole frames in a clip."""
        return 1 + (self.clip_samples - self.frame_length_samples) // self.frame_step_samples


FrontEnd = Annotated[RawFeatures | ImageFrontEnd | MfccFrontEnd, Field(discriminator="kind")]


class Preprocessing(Frozen):
    """Front-end, then affine map; `model_dump_json` is what the bundle holds."""

    front_end: FrontEnd
    affine: Affine


def prepare(preprocessing: Preprocessing, x: NDArray[np.generic]) -> NDArray[np.float32]:
    """Network input, float32 NHWC, of the front-end's output `x` (uint8 or float32 NHWC)."""
    affine = preprocessing.affine
    scale = np.asarray(affine.scale, dtype=np.float32)
    offset = np.asarray(affine.offset, dtype=np.float32)
    axis = x.ndim - 1 if affine.axis is Axis.CHANNEL else x.ndim - 2
    if x.ndim != 4 or any(v.size not in (1, x.shape[axis]) for v in (scale, offset)):
        raise DataError(
            f"data of shape {x.shape} does not suit a preprocessing with {scale.size} scales and "
            f"{offset.size} offsets along {affine.axis}",
            hint="pass samples as [N, height, width, channels], as the data set holds them",
        )
    shape = [1] * x.ndim

    def along(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values.reshape([*shape[:axis], values.size, *shape[axis + 1 :]])

    result: NDArray[np.float32] = x.astype(np.float32) * along(scale) + along(offset)
    return result


def range_affine(x: NDArray[np.uint8], value_range: tuple[float, float] = (0.0, 1.0)) -> Affine:
    """Maps 0 to the largest value of `x` to `value_range`; one constant keeps 8-bit input exact."""
    largest = int(x.max())
    if largest == 0:
        raise DataError("every sample is entirely zero", hint="check the data's source")
    low, high = value_range
    return Affine(
        scale=(float(np.float32((high - low) / largest)),), offset=(float(np.float32(low)),)
    )


def standard_affine(x: NDArray[np.generic], axis: Axis) -> Affine:
    """Maps `x` to mean 0 and deviation 1 along `axis`; a constant index keeps deviation 1."""
    kept = 3 if axis is Axis.CHANNEL else 2
    reduced = tuple(a for a in range(4) if a != kept)
    mean = x.mean(axis=reduced, dtype=np.float64)
    deviation = x.std(axis=reduced, dtype=np.float64)
    deviation = np.where(deviation < 1e-8 * np.maximum(1.0, np.abs(mean)), 1.0, deviation)
    return Affine(
        scale=tuple(float(np.float32(v)) for v in 1.0 / deviation),
        offset=tuple(float(np.float32(v)) for v in -mean / deviation),
        axis=axis,
    )
