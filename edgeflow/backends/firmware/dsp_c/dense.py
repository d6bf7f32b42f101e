"""FULLY_CONNECTED with outputs in pairs (`edgeflow_dsp_fully_connected.h`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.convolution import fits_lanes, fits_words, paired_words
from edgeflow.backends.firmware.dsp_c.scaling import wrapped
from edgeflow.backends.firmware.kernel_set import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.portable_c.channelwise import DENSE_SCALING, dense_scaling
from edgeflow.graph.fixed_point import double_multiplier, multiply_as_double
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.requantization import DenseRequantization
from edgeflow.graph.requantize import fully_connected_requantization

_OUTPUTS = 4


@dataclass(frozen=True, eq=False)
class _Outputs:
    """Weights [out, in] and biases, padded with zeros to multiples of four; constants; bounds."""

    rows: NDArray[np.int8]
    bias: NDArray[np.int64]
    values: DenseRequantization
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def _outputs(graph: Graph, node: Node) -> _Outputs:
    """An output that cannot change, as that of a dead filter, becomes a bias of scale 1."""
    weights, bias = (graph.tensors[name].data for name in node.inputs[1:3])
    assert weights is not None
    assert bias is not None
    values = fully_connected_requantization(graph, node)
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=1, dtype=np.int64)
    least, most = -128 - values.input_zero_point, 127 - values.input_zero_point
    low = bias + positive * least + negative * most
    high = bias + positive * most + negative * least
    ends = [
        np.clip(multiply_as_double(sums, values.multipliers, values.right_shifts), -512, 512)
        for sums in (low, high)
    ]
    constant = ends[0] == ends[1]
    one, one_shift = double_multiplier(1.0)
    given = bias - values.input_zero_point * (positive + negative)
    padding = (0, -len(bias) % _OUTPUTS)
    return _Outputs(
        rows=np.pad(
            np.where(constant[:, None], 0, weights).astype(np.int8),
            (padding, (0, -weights.shape[1] % _OUTPUTS)),
        ),
        bias=np.pad(np.where(constant, ends[0], given), padding),
        values=replace(
            values,
            multipliers=tuple(np.where(constant, one, values.multipliers).tolist()),
            right_shifts=tuple(np.where(constant, one_shift, values.right_shifts).tolist()),
        ),
        low=np.pad(np.where(constant, ends[0], low), padding),
        high=np.pad(np.where(constant, ends[0], high), padding),
    )


def _fast_outputs(graph: Graph, node: Node) -> _Outputs | None:
    """The outputs of a layer for which the kernel is exact, whatever the input; else None."""
    found = _outputs(graph, node)
    fits = fits_lanes(found.rows) and fits_words(found.low, found.high)
    return found if fits else None


def vector_bytes(graph: Graph, node: Node) -> int:
    """The input as int16."""
    found = _fast_outputs(graph, node)
    return 2 * found.rows.shape[1] if found else 0


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    graph, node = layer.graph, layer.node
    found = _fast_outputs(graph, node)
    if found is None:
        return portable_c.RENDERERS[OpKind.FULLY_CONNECTED](layer)
    rows = found.rows
    # [pair, word] to [four outputs, word, pair]
    words = paired_words(rows).reshape(len(rows) // _OUTPUTS, 2, -1).transpose(0, 2, 1)
    shape = list(layer.input(1).shape)
    weights = layer.constant("weights", CType.UINT32, words, f"weights {shape}, outputs in pairs")
    biases = layer.constant(
        "bias", CType.INT32, wrapped(found.bias), "bias, input zero point folded in"
    )
    scaling = dense_scaling(layer, found.values)
    fields: dict[str, Value] = {
        "weights": Expression(weights.name),
        "bias": Expression(biases.name),
        "inputs": rows.shape[1],
        "given_inputs": layer.input(1).shape[1],
        "outputs": layer.input(1).shape[0],
        "to": scaling.fields,
    }
    call = KernelCall(
        function="edgeflow_dsp_fully_connected",
        header="edgeflow_dsp_fully_connected.h",
        layer_type="edgeflow_dsp_fully_connected_layer",
        layer=fields,
        arguments=(
            layer.place(node.inputs[0]),
            layer.scratch(),
            layer.place(node.outputs[0]),
        ),
        sources=(
            "edgeflow_dsp_fully_connected.c",
            "edgeflow_dsp_four_sums.c",
            "edgeflow_dsp_four_sums.S",
            *DENSE_SCALING,
        ),
    )
    return RenderedLayer((call,), (weights, biases, *scaling.arrays))
