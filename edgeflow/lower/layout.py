"""NCHW to NHWC: shapes, axes, and where each element goes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def nhwc_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Graph shape of a torch tensor; `shape` is [C, H, W] or [C], batch excluded."""
    if len(shape) == 3:
        channels, height, width = shape
        return (1, height, width, channels)
    return (1, *shape)


def nhwc_axis(axis: int, rank: int) -> int:
    """Graph axis of a torch dimension; `rank` includes the batch."""
    return {0: 0, 1: 3, 2: 1, 3: 2}[axis] if rank == 4 else axis


def element_order(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """For each element of the graph's tensor, in memory order, its index in torch's order."""
    order = np.arange(math.prod(shape), dtype=np.int64)
    if len(shape) == 3:
        order = order.reshape(shape).transpose(1, 2, 0).reshape(-1)
    return order
