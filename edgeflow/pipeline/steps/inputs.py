"""Samples of a data set as the int8 input of an integer graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.dataset import Dataset, prepare
from edgeflow.errors import DataError
from edgeflow.graph.ir import Graph


def input_range(graph: Graph) -> tuple[float, float]:
    """The least and the greatest real value that the graph's input can hold."""
    parameters = graph.tensors[graph.inputs[0]].quantization
    assert parameters is not None
    scale, zero_point = parameters.scales[0], parameters.zero_points[0]
    return scale * (-128 - zero_point), scale * (127 - zero_point)


def quantized_inputs(graph: Graph, dataset: Dataset, x: NDArray[Any]) -> NDArray[np.int8]:
    """Samples `x` [N, H, W, C] as int8 [N, ...] of the graph's input; half rounds away from zero.

    Raises DataError where the sample's shape is not that of the input.
    """
    tensor = graph.tensors[graph.inputs[0]]
    wanted, given = tensor.shape[1:], x.shape[1:]
    dense = len(wanted) == 1 and math.prod(given) == wanted[0]
    if wanted != given and not dense:
        raise DataError(
            f"the model {graph.name} takes inputs of shape {list(wanted)} and the data "
            f"{dataset.name} gives {list(given)}",
            hint="bring fitting data with --data, or set [data] image_size and color",
        )
    assert tensor.quantization is not None
    scale = np.float32(tensor.quantization.scales[0])
    zero_point = tensor.quantization.zero_points[0]
    steps = prepare(dataset.preprocessing, x) / scale
    rounded = np.sign(steps) * np.floor(np.abs(steps) + np.float32(0.5)) + zero_point
    quantized: NDArray[np.int8] = np.clip(rounded, -128, 127).astype(np.int8)
    return quantized.reshape(len(x), *wanted)
