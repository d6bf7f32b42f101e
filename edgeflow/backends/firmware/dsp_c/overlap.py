"""How far the DSP kernels may write over their own input.

A kernel that goes through its output in order may put it on its input, where each piece is written
only after the last read of the bytes below it. The output then starts some bytes before the input.
"""

from __future__ import annotations

import math

import numpy as np

from edgeflow.backends.firmware.dsp_c import convolution, depthwise
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind

_WORD_BYTES = 4


def overlap_bytes(graph: Graph, node: Node) -> int | None:
    """Bytes by which the output must start before the input that it overwrites; None if never."""
    if node.kind is OpKind.CONV_2D:
        return _convolution(graph, node)
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        return _depthwise(graph, node)
    return None


def _convolution(graph: Graph, node: Node) -> int | None:
    """Pixels are read in threes before their outputs are written."""
    if convolution.fast_channels(graph, node) is None:
        return None
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, _, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, out_h, out_w, out_c = graph.tensors[node.outputs[0]].shape
    pixels = np.arange(out_h * out_w)
    top = np.maximum(pixels // out_w * window.stride_h - window.pad_top, 0)
    left = np.maximum(pixels % out_w * window.stride_w - window.pad_left, 0)
    first_read = (top * in_w + left) * in_c
    # What any later pixel reads, not the next one alone.
    still_read = np.minimum.accumulate(first_read[::-1])[::-1]
    ends = np.arange(convolution.PIXELS, len(pixels), convolution.PIXELS)
    last = len(pixels) - len(pixels) % convolution.PIXELS
    ends = np.union1d(ends, np.arange(max(last, 1), len(pixels)))
    distance = int(np.max(ends * out_c - still_read[ends], initial=0))
    return -(-distance // _WORD_BYTES) * _WORD_BYTES


def _depthwise(graph: Graph, node: Node) -> int | None:
    """A strip's channels follow one another; each writes only bytes of its own channel."""
    if depthwise.fast_channels(graph, node) is None:
        return None
    _, _, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, _, out_w, out_c = graph.tensors[node.outputs[0]].shape
    plane = depthwise.plane_of(graph, node)
    if in_c != out_c:
        return None
    ends = np.arange(plane.strip_rows, plane.rows.output, plane.strip_rows)
    if plane.transposed and len(ends):
        return None
    still_read = np.maximum(ends * plane.rows.stride - plane.rows.pad, 0) * in_w * in_c
    distance = int(np.max(ends * out_w * out_c - still_read, initial=0))
    step = math.lcm(in_c, _WORD_BYTES)
    return -(-distance // step) * step
