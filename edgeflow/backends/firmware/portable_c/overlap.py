"""How far the portable kernels may write over their own input.

They go through their output pixel by pixel, so a pixel may lie on input that no pixel from then on
reads. The output then starts some bytes before the input.
"""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.portable_c.channelwise import is_pointwise
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind, Pool2D

_WORD_BYTES = 4


def overlap_bytes(graph: Graph, node: Node) -> int | None:
    """Bytes by which the output must start before the input that it overwrites; None if never."""
    if not isinstance(node.attributes, Conv2D | Pool2D):
        return None
    window = node.attributes.window
    _, _, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, out_h, out_w, out_c = graph.tensors[node.outputs[0]].shape
    pixels = np.arange(out_h * out_w)
    top = np.maximum(pixels // out_w * window.stride_h - window.pad_top, 0)
    left = np.maximum(pixels % out_w * window.stride_w - window.pad_left, 0)
    first_read = (top * in_w + left) * in_c
    # What any later pixel reads, not the next one alone.
    still_read = np.minimum.accumulate(first_read[::-1])[::-1]
    if node.kind is OpKind.CONV_2D and not is_pointwise(graph, node):
        # All inputs of a pixel are gathered before the first of its outputs is written.
        still_read = np.append(still_read[1:], np.iinfo(np.int64).max)
    distance = int(np.max((pixels + 1) * out_c - still_read, initial=0))
    return -(-distance // _WORD_BYTES) * _WORD_BYTES
