"""Array steps that several kernels share: sliding windows, requantization, clamping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeflow.graph.fixed_point import Int64Array, multiply_by_quantized_multiplier
from edgeflow.graph.ir import Window
from edgeflow.graph.requantization import ChannelRequantization, OutputRange

Int8Array = NDArray[np.int8]
Value = NDArray[np.int8] | NDArray[np.int32]

# Elements that one step of a kernel may hold in its widest buffer; larger batches go in slices.
MAX_BUFFER_ELEMENTS = 2**23


def to_int8(values: Int64Array, bounds: OutputRange) -> Int8Array:
    """Clamp to an output range and narrow."""
    return np.clip(values, bounds.minimum, bounds.maximum).astype(np.int8)


def requantize_channels(accumulators: ArrayLike, constants: ChannelRequantization) -> Int8Array:
    """Accumulators [..., channels] to int8 outputs of the same shape."""
    scaled = multiply_by_quantized_multiplier(
        accumulators, np.array(constants.multipliers), np.array(constants.shifts)
    )
    return to_int8(scaled + constants.output_zero_point, constants.range)


def pad_image(x: Int8Array, window: Window, value: int) -> Int8Array:
    """[N, H, W, C] with the window's padding around the image."""
    vertical = (window.pad_top, window.pad_bottom)
    horizontal = (window.pad_left, window.pad_right)
    return np.pad(x, ((0, 0), vertical, horizontal, (0, 0)), constant_values=value)


def sliding_windows(
    padded: NDArray[np.int8], kernel: tuple[int, int], window: Window
) -> NDArray[np.int8]:
    """View [N, OH, OW, KH, KW, C] of a padded image [N, H, W, C]."""
    n, height, width, channels = padded.shape
    out_h = (height - (kernel[0] - 1) * window.dilation_h - 1) // window.stride_h + 1
    out_w = (width - (kernel[1] - 1) * window.dilation_w - 1) // window.stride_w + 1
    step_n, step_h, step_w, step_c = padded.strides
    return np.lib.stride_tricks.as_strided(
        padded,
        shape=(n, out_h, out_w, *kernel, channels),
        strides=(
            step_n,
            step_h * window.stride_h,
            step_w * window.stride_w,
            step_h * window.dilation_h,
            step_w * window.dilation_w,
            step_c,
        ),
        writeable=False,
    )


def batch_slices(batch: int, elements_per_example: int) -> Sequence[slice]:
    """Slices of a batch that keep a buffer within `MAX_BUFFER_ELEMENTS`; one example at least."""
    step = max(1, MAX_BUFFER_ELEMENTS // max(1, elements_per_example))
    return [slice(start, start + step) for start in range(0, batch, step)]


def int8_value(value: Value) -> Int8Array:
    """The value as int8; an int32 one here is a graph that no check has seen."""
    if value.dtype != np.int8:
        raise TypeError(f"expected int8, got {value.dtype}")
    return value.astype(np.int8, copy=False)
