"""Running an integer graph on float inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph, Quantization


def parameters(graph: Graph, name: str) -> Quantization:
    found = graph.tensors[name].quantization
    assert found is not None
    return found


def integer_output(graph: Graph, x: Tensor) -> NDArray[np.float64]:
    """Dequantized output for inputs [N, C, H, W]; feature maps back in NCHW."""
    grid, array = parameters(graph, graph.inputs[0]), x.numpy()
    if array.ndim == 4:
        array = array.transpose(0, 2, 3, 1)
    integers = np.rint(array / np.float32(grid.scales[0])) + grid.zero_points[0]
    y = run_batch(graph, np.clip(integers, -128, 127).astype(np.int8))
    grid = parameters(graph, graph.outputs[0])
    y = y.transpose(0, 3, 1, 2) if y.ndim == 4 else y
    return (y.astype(np.float64) - grid.zero_points[0]) * grid.scales[0]
