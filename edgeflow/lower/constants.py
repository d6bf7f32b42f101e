"""Weights and biases as the graph's integer constants."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edgeflow.graph.ir import DType, Quantization, Tensor
from edgeflow.quantize.grids import FixedGrid
from edgeflow.quantize.operators import Convolution, Dense


def quantization(grid: FixedGrid) -> Quantization:
    """Scale and zero point of an activation."""
    return Quantization((float(grid.get_buffer("scale")),), (grid.zero_point,))


def weights_tensor(name: str, layer: Convolution | Dense, order: NDArray[np.int64]) -> Tensor:
    """int8 weights in the graph's layout: OHWI, depthwise 1HWC, dense [out, in].

    `order` is the element order of a dense layer's input.
    """
    integers, scales, bits = _integer_weights(layer)
    axis = 0
    if isinstance(layer, Dense):
        integers = integers[:, order]
    elif layer.is_depthwise:
        integers = integers.transpose(1, 2, 3, 0)
        axis = 3
    else:
        integers = integers.transpose(0, 2, 3, 1)
    return Tensor(
        name,
        integers.shape,
        DType.INT8,
        Quantization(scales, (0,) * len(scales), axis),
        np.ascontiguousarray(integers),
        bits,
    )


def bias_tensor(name: str, layer: Convolution | Dense, input_scale: float) -> Tensor:
    """int32 biases at the scale of the accumulator."""
    _, weight_scales, _ = _integer_weights(layer)
    scales = np.float32(input_scale) * np.asarray(weight_scales, np.float32)
    bias = layer.bias.detach().numpy().astype(np.float64)
    integers = np.rint(bias / (input_scale * np.asarray(weight_scales))).astype(np.int32)
    parameters = Quantization(tuple(float(s) for s in scales), (0,) * len(scales), 0)
    return Tensor(name, integers.shape, DType.INT32, parameters, integers)


def _integer_weights(
    layer: Convolution | Dense,
) -> tuple[NDArray[np.int8], tuple[float, ...], int]:
    grid = layer.weight_quantizer
    assert isinstance(grid, FixedGrid)
    with torch.no_grad():
        integers = grid.integers(layer.weight).numpy().astype(np.int8)
    scales = tuple(float(s) for s in grid.get_buffer("scale"))
    return integers, scales, grid.high.bit_length() + 1
