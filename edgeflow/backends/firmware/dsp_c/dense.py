"""FULLY_CONNECTED with outputs in pairs (`edgeflow_dsp_fully_connected.h`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression
from edgeflow.backends.firmware.dsp_c.clamping import narrow_range
from edgeflow.backends.firmware.dsp_c.convolution import fits_lanes, fits_words, paired_words
from edgeflow.backends.firmware.dsp_c.scaling import wrapped
from edgeflow.backends.firmware.kernel_set import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.one_multiply import DenseOutputs, dense_outputs
from edgeflow.graph.ir import Graph, Node, OpKind

_OUTPUTS = 4


def _fast_outputs(graph: Graph, node: Node) -> DenseOutputs | None:
    """The outputs of a layer for which the kernel is exact, whatever the input; else None."""
    found = dense_outputs(graph, node)
    if found is None or not fits_lanes(found.rows):
        return None
    return found if fits_words(found.low, found.high) else None


def _padded(size: int) -> int:
    return -(-size // _OUTPUTS) * _OUTPUTS


def vector_bytes(graph: Graph, node: Node) -> int:
    """The input as int16."""
    if _fast_outputs(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    return 2 * _padded(graph.tensors[node.inputs[1]].shape[1])


def _words(rows: NDArray[np.int8]) -> NDArray[np.int64]:
    """Weights as [four outputs, word, pair]."""
    padding = [(0, _padded(size) - size) for size in rows.shape]
    padded = np.pad(rows, padding)
    return paired_words(padded).reshape(len(padded) // _OUTPUTS, 2, -1).transpose(0, 2, 1)


def _constants(found: DenseOutputs) -> NDArray[np.int64]:
    """Of every four outputs the biases, then the multipliers."""
    padding = (0, -len(found.rows) % _OUTPUTS)
    bias, multipliers = (
        np.pad(values, padding).reshape(-1, _OUTPUTS)
        for values in (wrapped(found.bias), found.multipliers)
    )
    return np.concatenate([bias, multipliers], axis=1)


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    node = layer.node
    found = _fast_outputs(layer.graph, node)
    if found is None:
        return portable_c.RENDERERS[OpKind.FULLY_CONNECTED](layer)
    outputs, inputs = layer.input(1).shape
    shape = list(layer.input(1).shape)
    constants = (
        layer.constant(
            "weights", CType.UINT32, _words(found.rows), f"weights {shape}, outputs in pairs"
        ),
        layer.constant(
            "constants", CType.INT32, _constants(found), "biases and multipliers, four outputs each"
        ),
    )
    call = KernelCall(
        function="edgeflow_dsp_fully_connected",
        header="edgeflow_dsp_fully_connected.h",
        layer_type="edgeflow_dsp_fully_connected_layer",
        layer={
            "weights": Expression(constants[0].name),
            "constants": Expression(constants[1].name),
            "inputs": _padded(inputs),
            "outputs": outputs,
            "base": found.base,
            "shift": found.shift,
            "given_inputs": inputs,
        },
        arguments=(
            layer.place(node.inputs[0]),
            layer.scratch(),
            layer.place(node.outputs[0]),
        ),
        sources=("edgeflow_dsp_fully_connected.c", "edgeflow_dsp_dense.c", "edgeflow_dsp_dense.S"),
    )
    return RenderedLayer((call, *narrow_range(layer, found.range)), constants)
