"""`.tflite` files (int8) to and from the integer graph."""

from __future__ import annotations

from edgeflow.graph.ir import Graph


def read(data: bytes) -> Graph:
    """The integer graph of a `.tflite` file, in canonical form and checked.

    float32 or uint8 inputs and outputs behind a QUANTIZE or DEQUANTIZE are stripped: the graph's
    inputs and outputs are the int8 tensors, whose parameters say what the integers mean. A missing
    bias becomes zeros; SQUEEZE and EXPAND_DIMS become RESHAPE; a batch left open becomes 1; int4
    weights are unpacked (`Tensor.bits` 4, unless `write` noted a smaller width); tensors without a
    name are called tensor_<index>.

    Raises UnsupportedOperatorError for operators, types and attributes outside the graph's set
    (naming the operator, its index and output), ModelError for files that are damaged, hostile,
    larger than `limits` or not `.tflite`; no other exception, whatever the bytes.
    """
    from edgeflow.exchange.tflite_read import read_graph

    return read_graph(data)


def write(graph: Graph) -> bytes:
    """The graph as a `.tflite` file; equal graphs give equal bytes.

    Accepted by LiteRT and by TensorFlow Lite Micro; `read(write(graph))` is the canonical form of
    the graph. Weights of up to 4 bits are INT4, two to a byte. Raises GraphError where TensorFlow
    Lite has no equal: pooling with paddings that are neither SAME nor VALID.
    """
    from edgeflow.exchange.tflite_write import write_graph

    return write_graph(graph)
