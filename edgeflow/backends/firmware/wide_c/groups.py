"""Channels of depthwise layers in groups of lanes, and where their taps lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.rendering import LayerContext
from edgeflow.backends.firmware.wide_c.image import Image
from edgeflow.graph.ir import Conv2D


def is_periodic(channels: int, group: int) -> bool:
    """Whether channels fill groups, or repeat in one, so that rows can run through."""
    return channels % group == 0 or group % channels == 0


def in_groups(values: NDArray[np.int64], group: int) -> NDArray[np.int64]:
    """Values [..., channels] as [..., groups, lanes]; few channels repeat, others are padded."""
    channels = values.shape[-1]
    if is_periodic(channels, group) and channels < group:
        whole = np.concatenate([values] * (group // channels), axis=-1)
    else:
        padding = [(0, 0)] * (values.ndim - 1) + [(0, -channels % group)]
        whole = np.pad(values, padding)
    return whole.reshape(*values.shape[:-1], -1, group)


def taps_even(taps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Taps [n, ...], with one of zeros at the end where their number is odd."""
    return np.pad(taps, [(0, len(taps) % 2)] + [(0, 0)] * (taps.ndim - 1))


def tap_offsets(layer: LayerContext, image: Image) -> NDArray[np.int64]:
    """Of every tap from the first one of an output, in bytes."""
    assert isinstance(layer.node.attributes, Conv2D)
    _, filter_h, filter_w, channels = layer.input(1).shape
    down = np.arange(filter_h) * image.filter_row_step
    across = np.arange(filter_w) * layer.node.attributes.window.dilation_w * channels
    offsets: NDArray[np.int64] = (down[:, None] + across).reshape(-1).astype(np.int64)
    return offsets
