"""QDQ `.onnx` files to and from the integer graph.

Writing: opset 13 (21 for int4 weights, 25 for int2 ones), float NCHW inputs and outputs,
QuantizeLinear and DequantizeLinear around every operator; ONNX Runtime runs it (its float
requantization may differ from the integer graph in the last bit). Reading: what this module writes
comes back exactly; models of onnxruntime.quantization (static QDQ, int8 or uint8 activations,
symmetric int8 weights) and NNCF are read too.
"""

from __future__ import annotations

from edgeflow.graph.ir import Graph


def write(graph: Graph) -> bytes:
    """The canonical form of the graph as a QDQ ONNX file; equal graphs give equal bytes."""
    from edgeflow.exchange.onnx_qdq_write import write_graph
    from edgeflow.graph.canonical import canonicalize

    return write_graph(canonicalize(graph))


def read(data: bytes) -> Graph:
    """The canonical integer graph of a QDQ ONNX file.

    Raises ModelError for damaged, hostile or float files and for tensors without quantization where
    the integer graph needs it; UnsupportedOperatorError for operators outside the set.
    """
    from edgeflow.exchange.onnx_qdq_read import read_graph
    from edgeflow.graph.canonical import canonicalize

    return canonicalize(read_graph(data))
