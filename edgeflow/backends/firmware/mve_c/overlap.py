"""How far the MVE kernels may write over their own input.

A kernel that goes through its output in order may put it on its input, where each piece is written
only after the last read of the bytes below it. The output then starts some bytes before the input.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware import dsp_c
from edgeflow.backends.firmware.dsp_c.scaling import channels
from edgeflow.backends.firmware.mve_c import convolution, depthwise
from edgeflow.backends.firmware.portable_c.channelwise import is_pointwise
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind

_WORD_BYTES = 4


def overlap_bytes(graph: Graph, node: Node) -> int | None:
    """Bytes by which the output must start before the input that it overwrites; None if never."""
    if node.kind is OpKind.CONV_2D and channels(graph, node) is not None:
        return _convolution(graph, node)
    if node.kind is OpKind.DEPTHWISE_CONV_2D and depthwise.fast_channels(graph, node) is not None:
        return _depthwise(graph, node)
    return dsp_c.overlap_bytes(graph, node)


def _convolution(graph: Graph, node: Node) -> int:
    """Pieces of pixels: their inputs are read until all of their outputs are written, or before.

    A strip's inputs are copied before its outputs are written, so that what matters is the next
    strip; a 1x1 filter reads its pixels until their last output is written.
    """
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, _, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, out_h, out_w, out_c = graph.tensors[node.outputs[0]].shape
    in_place = is_pointwise(graph, node)
    if in_place:
        row = convolution.row_pixels(graph, node)
        starts = _pieces(out_h * out_w, row, convolution.together(graph, node))
    else:
        starts = _pieces(out_h * out_w, out_w, convolution.strip_pixels(graph, node))
    top = np.maximum(starts // out_w * window.stride_h - window.pad_top, 0)
    left = np.maximum(starts % out_w * window.stride_w - window.pad_left, 0)
    first_read = (top * in_w + left) * in_c
    # What any later piece reads, not the next one alone.
    still_read = np.minimum.accumulate(first_read[::-1])[::-1]
    ends = np.append(starts[1:], out_h * out_w)
    if not in_place:
        ends, still_read = ends[:-1], still_read[1:]
    distance = int(np.max(ends * out_c - still_read, initial=0))
    return -(-distance // _WORD_BYTES) * _WORD_BYTES


def _pieces(pixels: int, row: int, at_once: int) -> NDArray[np.int64]:
    """The first pixels of pieces that end with each row; less than a piece counts as one."""
    return np.concatenate([np.arange(at, at + row, at_once) for at in range(0, pixels, row)])


def _depthwise(graph: Graph, node: Node) -> int | None:
    """A strip's channels follow one another; each writes only bytes of its own channel."""
    _, _, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, _, out_w, out_c = graph.tensors[node.outputs[0]].shape
    plane = depthwise.plane_of(graph, node)
    if in_c != out_c:
        return None
    if plane.is_whole:
        return 0
    assert not plane.transposed
    ends = np.arange(plane.strip_rows, plane.rows.output, plane.strip_rows)
    still_read = np.maximum(ends * plane.rows.stride - plane.rows.pad, 0) * in_w * in_c
    distance = int(np.max(ends * out_w * out_c - still_read, initial=0))
    step = math.lcm(in_c, _WORD_BYTES)
    return -(-distance // step) * step
