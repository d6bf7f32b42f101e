"""What a call of an MVE kernel costs beside its rows: an estimate, fitted to a Cortex-M55.

It only serves to compare ways to cut a layer into bands of rows.
"""

from __future__ import annotations

import math

from edgeflow.backends.firmware.mve_c import depthwise
from edgeflow.graph.ir import Graph, Node, OpKind

_CALL = 300
_PIXELS_AT_ONCE = 3
_SINGLE_OUTPUT = 1.3  # what an output costs more where its pixel is alone, and per MAC of it
_SINGLE_MAC = 0.03


def set_up_instructions(graph: Graph, node: Node) -> int:
    """Instructions of a call that do not grow with its output rows."""
    if node.kind is OpKind.CONV_2D:
        _, rows, columns, outputs = graph.tensors[node.outputs[0]].shape
        taps = math.prod(graph.tensors[node.inputs[1]].shape[1:])
        singles = rows * columns % _PIXELS_AT_ONCE * outputs
        return _CALL + round(singles * (_SINGLE_OUTPUT + _SINGLE_MAC * taps))
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        channels = graph.tensors[node.inputs[0]].shape[3]
        return _CALL + channels * depthwise.plane_of(graph, node).strip_work
    return _CALL
