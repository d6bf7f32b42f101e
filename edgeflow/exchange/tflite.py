"""`.tflite` files (int8) to and from the integer graph."""

from __future__ import annotations

from edgeflow.graph.ir import Graph


def write(graph: Graph) -> bytes:
    """The graph as a `.tflite` file; equal graphs give equal bytes.

    Accepted by LiteRT and by TensorFlow Lite Micro. Raises GraphError where TensorFlow Lite has no
    equal: pooling with paddings that are neither SAME nor VALID.
    """
    from edgeflow.exchange.tflite_write import write_graph

    return write_graph(graph)
