"""What a call of an MVE kernel costs beside its rows: an estimate, fitted to counts of a Cortex-M55.

It only serves to compare ways to cut a layer into bands of rows.
"""

from __future__ import annotations

from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind

_CALL = 150
_STRIP_ROWS = 4  # what kernels mostly compute from one filling of their planes
_CHANNEL = 60
_READ_AGAIN = 2.4  # instructions for each value of a row that two strips read


def set_up_instructions(graph: Graph, node: Node) -> int:
    """Instructions of a call that do not grow with its output rows."""
    if node.kind is not OpKind.DEPTHWISE_CONV_2D:
        return _CALL
    assert isinstance(node.attributes, Conv2D)
    _, _, columns, channels = graph.tensors[node.inputs[0]].shape
    strips = -(-graph.tensors[node.outputs[0]].shape[1] // _STRIP_ROWS)
    again = max(graph.tensors[node.inputs[1]].shape[1] - node.attributes.window.stride_h, 0)
    return _CALL + round(strips * channels * (_CHANNEL + _READ_AGAIN * again * columns))
