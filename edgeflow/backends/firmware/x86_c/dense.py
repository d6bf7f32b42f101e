"""FULLY_CONNECTED as a convolution of one pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.one_multiply import DenseOutputs, dense_outputs
from edgeflow.backends.firmware.rendering import LayerContext, RenderedLayer
from edgeflow.backends.firmware.wide_c.image import Image
from edgeflow.backends.firmware.x86_c.convolution import Products, products
from edgeflow.backends.firmware.x86_c.rescaling import PLAIN_SUM_SHIFT
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.requantize import fully_connected_requantization

_LARGEST_SUM = 2**29


@dataclass(frozen=True, eq=False)
class _Dense:
    """The layer's outputs, and its input as an image of one pixel."""

    outputs: DenseOutputs
    image: Image


def _dense(graph: Graph, node: Node) -> _Dense | None:
    """None where the layer's scaling has no form that the kernel knows."""
    found = dense_outputs(graph, node, PLAIN_SUM_SHIFT)
    if found is None or np.any(np.maximum(-found.low, found.high) >= _LARGEST_SUM):
        return None
    inputs = found.rows.shape[1]
    return _Dense(found, Image(1, inputs, 0, 0, 0, 0, 1, 1, inputs, inputs, 1, inputs, inputs))


def copy_bytes(graph: Graph, node: Node) -> int:
    """Working memory: the copy of the input."""
    found = _dense(graph, node)
    return portable_c.scratch_bytes(graph, node) if found is None else found.image.copy_bytes


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    found = _dense(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.FULLY_CONNECTED](layer)
    outputs = found.outputs
    return products(
        layer,
        found.image,
        Products(
            rows=outputs.rows,
            bias=outputs.folded_bias,
            scaling=_scaling(outputs),
            sum_shift=PLAIN_SUM_SHIFT,
            input_zero_point=fully_connected_requantization(
                layer.graph, layer.node
            ).input_zero_point,
            range=outputs.range,
        ),
    )


def _scaling(outputs: DenseOutputs) -> NDArray[np.int64]:
    """Multipliers, shifts and one base for sums of either sign."""
    shape = outputs.multipliers.shape
    shifts, base = (np.full(shape, value, np.int64) for value in (outputs.shift, outputs.base))
    return np.stack([outputs.multipliers, shifts, base, base])
