"""CONV_2D as inner products of widened pixels with paired channels (`edgeflow_dsp_dot.h`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.clamping import narrow_range
from edgeflow.backends.firmware.dsp_c.scaling import Channels, channels, narrow_channels
from edgeflow.backends.firmware.packing import stored_bits, stored_zero
from edgeflow.backends.firmware.portable_c.channelwise import (
    is_pointwise,
    window_fields,
)
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.requantize import conv_requantization

PIXELS = 3
_TAPS_PER_WORD_PAIR = 4

# The assembler takes the shift from the lowest byte.
_SHIFT_BITS = 8

# Kernels of narrow weights multiply sums by 2**this before they scale them.
SUM_SHIFTS = {8: 0, 4: 4, 2: 6}

# How the inner products of a width are called.
_DOT = {8: "", 4: "int4_", 2: "int2_"}


def paired_words(rows: NDArray[np.int8], bits: int) -> NDArray[np.int64]:
    """Weights [out, taps] as the words of `edgeflow_dsp_dot`: [pair, word].

    A lane holds 256 * (weight of the odd channel) + (weight of the even one). Narrow weights are
    stored without sign, so that several such words lie in the fields of one.
    """
    outputs, taps = rows.shape
    padded = np.zeros((outputs + outputs % 2, padded_taps(taps, bits)), np.int64)
    padded[:outputs, :taps] = rows
    if bits < 8:
        padded += stored_zero(bits)
    lanes = (256 * padded[1::2] + padded[::2]).reshape(-1, _TAPS_PER_WORD_PAIR)
    words = (lanes[:, (0, 1)] & 0xFFFF) | ((lanes[:, (2, 3)] & 0xFFFF) << 16)
    fields = words.reshape(len(padded) // 2, -1, 8 // bits)
    stored: NDArray[np.int64] = (fields << (bits * np.arange(8 // bits))).sum(axis=2)
    return stored


def padded_taps(taps: int, bits: int) -> int:
    """The next multiple of what a word of narrow weights or two of int8 hold."""
    block = max(_TAPS_PER_WORD_PAIR, 16 // bits)
    return -(-taps // block) * block


def channel_constants(found: Channels) -> NDArray[np.int64]:
    """Bias and shift in one word, and the multiplier; an even number of channels, flat."""
    words = found.packed(_SHIFT_BITS)
    return np.concatenate([words, np.zeros((len(words) % 2, 2), np.int64)])


def fits_lanes(rows: NDArray[np.int8]) -> bool:
    """Whether 256 * w1 + w0 of neighbouring channels fits 16 bits for every tap."""
    odd = rows[1::2].astype(np.int64)
    return bool(np.all(256 * odd + rows[: 2 * len(odd) : 2] >= -(2**15)))


def fits_words(low: NDArray[np.int64], high: NDArray[np.int64]) -> bool:
    """Whether 256 * s1 + s0 of neighbouring channels' sums fits 32 bits; bounds of each."""
    reach = np.maximum(np.abs(low), np.abs(high))
    odd = reach[1::2]
    return bool(np.all(256 * odd + reach[: 2 * len(odd) : 2] < 2**31))


def fast_channels(graph: Graph, node: Node) -> Channels | None:
    """The channels of a layer for which the kernel is exact, whatever the input; else None."""
    bits = stored_bits(graph.tensors[node.inputs[1]])
    found = channels(graph, node) if bits == 8 else narrow_channels(graph, node, SUM_SHIFTS[bits])
    if found is None or not fits_words(found.low, found.high):
        return None
    # Fields without sign always fit their lanes.
    if bits == 8 and not fits_lanes(found.rows):
        return None
    return found if found.packs(_SHIFT_BITS) else None


def patch_bytes(graph: Graph, node: Node) -> int:
    """Three pixels as int16; one as int8 unless the filter is 1x1."""
    if fast_channels(graph, node) is None:
        return portable_c.scratch_bytes(graph, node)
    weights = graph.tensors[node.inputs[1]]
    taps = padded_taps(int(np.prod(weights.shape[1:])), stored_bits(weights))
    return 2 * PIXELS * taps + (0 if is_pointwise(graph, node) else taps)


def conv_2d(layer: LayerContext) -> RenderedLayer:
    """CONV_2D; a pointwise one has a kernel of its own."""
    found = fast_channels(layer.graph, layer.node)
    if found is None:
        return portable_c.RENDERERS[OpKind.CONV_2D](layer)
    values = conv_requantization(layer.graph, layer.node)
    bits = stored_bits(layer.input(1))
    what = f"int{bits} weights {list(layer.input(1).shape)}, channels in pairs"
    words = paired_words(found.rows, bits)
    weights = layer.constant("weights", CType.UINT32, words, what)
    constants = layer.constant(
        "channels", CType.INT32, channel_constants(found), "bias and shift, multiplier"
    )
    _, in_h, in_w, in_c = layer.input(0).shape
    _, out_h, out_w, out_c = layer.output.shape
    dot: dict[str, Value] = {
        "weights": Expression(weights.name),
        "channels": Expression(constants.name),
        "taps": padded_taps(found.rows.shape[1], bits),
        "outputs": out_c,
        "base": 2 * values.output_zero_point + 1,
        "one_pixel": Expression(f"edgeflow_dsp_{_DOT[bits]}one_pixel"),
        "three_pixels": Expression(f"edgeflow_dsp_{_DOT[bits]}three_pixels"),
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
        sources=(f"{function}.c", *(f"edgeflow_dsp_{_DOT[bits]}dot.{s}" for s in ("c", "S"))),
    )
    clamp = narrow_range(layer, values.range)
    return RenderedLayer((call, *clamp), (weights, constants))
