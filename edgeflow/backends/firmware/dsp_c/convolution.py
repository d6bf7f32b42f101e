"""CONV_2D as inner products of widened pixels with paired channels (`edgeflow_dsp_dot.h`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.clamping import narrow_range
from edgeflow.backends.firmware.dsp_c.scaling import Scale, channel_scales, fits_pairs
from edgeflow.backends.firmware.kernel_set import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.portable_c.channelwise import (
    folded_bias,
    is_pointwise,
    weight_rows,
    window_fields,
)
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.overflow import channel_bounds
from edgeflow.graph.requantize import conv_requantization

TAPS_PER_WORD_PAIR = 4
PIXELS = 3

_DOT = ("edgeflow_dsp_dot.c", "edgeflow_dsp_dot.S")


def paired_words(rows: NDArray[np.int8]) -> NDArray[np.int64]:
    """Weights [out, taps] as the words of `edgeflow_dsp_dot`, flat.

    A lane holds 256 * (weight of the odd channel) + (weight of the even one).
    """
    outputs, taps = rows.shape
    padded = np.zeros((outputs + outputs % 2, padded_taps(taps)), np.int64)
    padded[:outputs, :taps] = rows
    lanes = (256 * padded[1::2] + padded[::2]).reshape(-1, TAPS_PER_WORD_PAIR)
    words = (lanes[:, (0, 1)] & 0xFFFF) | ((lanes[:, (2, 3)] & 0xFFFF) << 16)
    flat: NDArray[np.int64] = words.reshape(-1)
    return flat


def padded_taps(taps: int) -> int:
    """The next multiple of four."""
    return -(-taps // TAPS_PER_WORD_PAIR) * TAPS_PER_WORD_PAIR


def pair_constants(bias: NDArray[np.int32], scales: tuple[Scale, ...]) -> NDArray[np.int64]:
    """The eight words of each pair of channels; `bias` has the zero point folded in."""
    odd = len(scales) % 2
    biases = np.append(bias.astype(np.int64), np.zeros(odd, np.int64)).reshape(-1, 2)
    entries = [(s.multiplier, s.base, s.shift) for s in scales] + [(0, 0, 1)] * odd
    both = (256 * biases[:, 1] + biases[:, 0]) & 0xFFFFFFFF
    both = np.where(both >= 2**31, both - 2**32, both)
    return np.column_stack([both, biases[:, 0], np.reshape(entries, (-1, 6))]).reshape(-1)


def fits_lanes(rows: NDArray[np.int8]) -> bool:
    """Whether 256 * w1 + w0 of neighbouring channels fits 16 bits for every tap."""
    odd = rows[1::2].astype(np.int64)
    return bool(np.all(256 * odd + rows[: 2 * len(odd) : 2] >= -(2**15)))


def is_fast(graph: Graph, node: Node) -> bool:
    """Whether the kernel is exact for every input of this layer."""
    weights = graph.tensors[node.inputs[1]].data
    assert weights is not None
    rows = weights.astype(np.int8).reshape(weights.shape[0], -1)
    return (
        channel_scales(graph, node) is not None
        and fits_lanes(rows)
        and fits_pairs(*channel_bounds(graph, node))
    )


def patch_bytes(graph: Graph, node: Node) -> int:
    """Three pixels as int16; one as int8 unless the filter is 1x1."""
    if not is_fast(graph, node):
        return portable_c.scratch_bytes(graph, node)
    taps = padded_taps(int(np.prod(graph.tensors[node.inputs[1]].shape[1:])))
    return 2 * PIXELS * taps + (0 if is_pointwise(graph, node) else taps)


def conv_2d(layer: LayerContext) -> RenderedLayer:
    """CONV_2D; a pointwise one has a kernel of its own."""
    if not is_fast(layer.graph, layer.node):
        return portable_c.RENDERERS[OpKind.CONV_2D](layer)
    scales = channel_scales(layer.graph, layer.node)
    assert scales is not None
    values = conv_requantization(layer.graph, layer.node)
    rows = weight_rows(layer, 0)
    bias = layer.input(2).data
    assert bias is not None
    sums = rows.sum(axis=1, dtype=np.int64)
    folded = folded_bias(bias.astype(np.int32), sums, values.input_zero_point)
    shape = list(layer.input(1).shape)
    weights = layer.constant(
        "weights", CType.UINT32, paired_words(rows), f"weights {shape}, channels in pairs"
    )
    pairs = layer.constant(
        "pairs", CType.INT32, pair_constants(folded, scales), "biases and scales of each pair"
    )
    _, in_h, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, out_c = layer.output.shape
    dot: dict[str, Value] = {
        "weights": Expression(weights.name),
        "pairs": Expression(pairs.name),
        "taps": padded_taps(rows.shape[1]),
        "outputs": out_c,
    }
    fields: dict[str, Value] = {
        "input_height": in_h,
        "input_width": in_w,
        "input_channels": in_c,
        "output_height": out_h,
        "output_width": out_w,
        **window_fields(layer),
        "input_zero_point": values.input_zero_point,
        "dot": dot,
    }
    function = "edgeflow_dsp_conv_2d"
    if is_pointwise(layer.graph, layer.node):
        function = "edgeflow_dsp_pointwise_conv_2d"
    call = KernelCall(
        function=function,
        header="edgeflow_dsp_conv_2d.h",
        layer_type="edgeflow_dsp_conv_2d_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            layer.scratch(),
            layer.place(layer.node.outputs[0]),
        ),
        sources=(f"{function}.c", *_DOT),
    )
    clamp = narrow_range(layer, values.range)
    return RenderedLayer((call, *clamp), (weights, pairs))
