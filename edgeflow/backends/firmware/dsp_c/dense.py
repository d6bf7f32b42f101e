"""FULLY_CONNECTED with outputs in pairs (`edgeflow_dsp_fully_connected.h`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.clamping import narrow_range
from edgeflow.backends.firmware.dsp_c.convolution import (
    SUM_SHIFTS,
    fits_lanes,
    fits_words,
    padded_taps,
    paired_words,
)
from edgeflow.backends.firmware.one_multiply import DenseOutputs, dense_outputs
from edgeflow.backends.firmware.packing import stored_bits
from edgeflow.backends.firmware.portable_c.channelwise import ChannelArrays
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Graph, Node, OpKind

_OUTPUTS = 4
_WORD_BYTES = 4

# By bits of a weight: the layer's function, and the file of its inner products.
_FUNCTIONS = {
    8: ("edgeflow_dsp_fully_connected", "edgeflow_dsp_dense"),
    4: ("edgeflow_dsp_int4_fully_connected", "edgeflow_dsp_int4_dense"),
    2: ("edgeflow_dsp_int2_fully_connected", "edgeflow_dsp_int2_dense"),
}


def _fast_outputs(graph: Graph, node: Node) -> DenseOutputs | None:
    """The outputs of a layer for which the kernel is exact, whatever the input; else None."""
    bits = stored_bits(graph.tensors[node.inputs[1]])
    found = dense_outputs(graph, node, SUM_SHIFTS[bits])
    if found is None or not fits_words(found.low, found.high):
        return None
    return found if bits < 8 or fits_lanes(found.rows) else None


def vector_bytes(graph: Graph, node: Node) -> int:
    """The input as int16."""
    if _fast_outputs(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    weights = graph.tensors[node.inputs[1]]
    return 2 * padded_taps(weights.shape[1], stored_bits(weights))


def _words(rows: NDArray[np.int8], bits: int) -> NDArray[np.int64]:
    """Weights as [four outputs, word, pair]."""
    padded = np.pad(rows, [(0, -len(rows) % _OUTPUTS), (0, 0)])
    words = paired_words(padded, bits)
    return words.reshape(len(padded) // _OUTPUTS, 2, -1).transpose(0, 2, 1)


def output_scales(layer: LayerContext, found: DenseOutputs) -> ChannelArrays:
    """Biases and multipliers of a dense layer, four outputs at a time; one multiplier if shared."""
    multipliers = found.multipliers[:1].repeat(_OUTPUTS) if found.share_multiplier else None
    arrays = (
        layer.constant(
            "bias", CType.INT32, _in_fours(found.folded_bias), "bias, input zero point folded in"
        ),
        layer.constant(
            "multiplier",
            CType.INT32,
            _in_fours(found.multipliers) if multipliers is None else multipliers,
            "multipliers",
        ),
    )
    fields: dict[str, Value] = {
        "bias": Expression(arrays[0].name),
        "multipliers": Expression(arrays[1].name),
        "multiplier_step": 0 if found.share_multiplier else _OUTPUTS * _WORD_BYTES,
    }
    return ChannelArrays(arrays, fields)


def _in_fours(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.pad(values, (0, -len(values) % _OUTPUTS))


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    node = layer.node
    found = _fast_outputs(layer.graph, node)
    if found is None:
        return portable_c.RENDERERS[OpKind.FULLY_CONNECTED](layer)
    outputs, inputs = layer.input(1).shape
    bits = stored_bits(layer.input(1))
    what = f"int{bits} weights {[outputs, inputs]}, outputs in pairs"
    function, dense = _FUNCTIONS[bits]
    weights = layer.constant("weights", CType.UINT32, _words(found.rows, bits), what)
    scales = output_scales(layer, found)
    call = KernelCall(
        function=function,
        header="edgeflow_dsp_fully_connected.h",
        layer_type="edgeflow_dsp_fully_connected_layer",
        layer={
            "weights": Expression(weights.name),
            "inputs": padded_taps(inputs, bits),
            "outputs": outputs,
            "base": found.base,
            "shift": found.shift,
            **scales.fields,
            "given_inputs": inputs,
        },
        arguments=(
            layer.place(node.inputs[0]),
            layer.scratch(),
            layer.place(node.outputs[0]),
        ),
        sources=(f"{function}.c", f"{dense}.c", f"{dense}.S"),
    )
    return RenderedLayer((call, *narrow_range(layer, found.range)), (weights, *scales.arrays))
