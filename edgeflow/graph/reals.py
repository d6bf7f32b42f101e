"""The reals that integers stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.ir import Tensor


def reals(tensor: Tensor) -> NDArray[np.float64]:
    """scale * (q - zero point) of a constant, in its shape; its integers where it has no grid."""
    assert tensor.data is not None
    values = tensor.data.astype(np.float64)
    grid = tensor.quantization
    if grid is None:
        return values
    scales, zero_points = (np.asarray(each, np.float64) for each in (grid.scales, grid.zero_points))
    if grid.axis is not None:
        shape = [1] * values.ndim
        shape[grid.axis] = -1
        scales, zero_points = scales.reshape(shape), zero_points.reshape(shape)
    found: NDArray[np.float64] = (values - zero_points) * scales
    return found
