"""What a call of a DSP kernel costs beside its rows: an estimate, fitted to counts of a Cortex-M4.

It only serves to compare ways to cut a layer into bands of rows.
"""

from __future__ import annotations

import math

from edgeflow.backends.firmware.dsp_c import depthwise
from edgeflow.backends.firmware.dsp_c.convolution import PIXELS
from edgeflow.graph.ir import Graph, Node, OpKind

_CALL = 100
_CHANNEL_OF_A_STRIP = 200
_READ_AGAIN = 2.5  # instructions for each value of a row that two strips read
_UNPACKED_WEIGHT = 1.4
_SINGLE_PIXEL = 0.34  # of a pixel's MACs: what it costs more alone than among three


def set_up_instructions(graph: Graph, node: Node) -> int:
    """Instructions of a call that do not grow with its output rows."""
    if node.kind is OpKind.CONV_2D:
        _, rows, columns, outputs = graph.tensors[node.outputs[0]].shape
        taps = math.prod(graph.tensors[node.inputs[1]].shape[1:])
        return _CALL + round(rows * columns % PIXELS * _SINGLE_PIXEL * taps * outputs)
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        plane = depthwise.plane_of(graph, node)
        strips = -(-plane.rows.output // plane.strip_rows)
        again = max(plane.rows.filter - plane.rows.stride, 0) * plane.columns.input
        channels = graph.tensors[node.inputs[0]].shape[3]
        each = _CHANNEL_OF_A_STRIP + _READ_AGAIN * again
        unpacking = _UNPACKED_WEIGHT * depthwise.unpacked_filter_bytes(graph, node)
        return _CALL + round(strips * channels * each + unpacking)
    return _CALL
