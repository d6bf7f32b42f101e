"""The integer graph as float `.onnx`: the same network without its quantization.

Opset 13, float NCHW inputs and outputs. Weights are those that the quantized ones stand for, and
activations are not rounded, so that engines with arithmetic of their own (fp16 of TensorRT, float32
of ONNX Runtime) take it; answers differ from the integer graph's by quantization alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgeflow.exchange import onnx_qdq
from edgeflow.graph.ir import Graph

OPSET = 13


def write(graph: Graph) -> bytes:
    """The graph as a float ONNX file; equal graphs give equal bytes."""
    tensors = {
        name: replace(tensor, bits=8) if tensor.bits < 8 else tensor
        for name, tensor in graph.tensors.items()
    }
    return _without_quantization(onnx_qdq.write(replace(graph, tensors=tensors)))


def _without_quantization(model: bytes) -> bytes:
    """A QDQ file in which constants are float and activations are not quantized at all."""
    import onnx
    from onnx import helper, numpy_helper

    document = onnx.load_from_string(model)
    graph = document.graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    renamed: dict[str, str] = {}
    kept: list[Any] = []
    added: list[Any] = []
    for node in graph.node:
        source = renamed.get(node.input[0], node.input[0])
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
            values = _dequantized([constants[name] for name in node.input], axis)
            added.append(numpy_helper.from_array(values, node.output[0]))
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            renamed[node.output[0]] = source
        else:
            for index, name in enumerate(node.input):
                node.input[index] = renamed.get(name, name)
            kept.append(node)
    for output in graph.output:
        if output.name in renamed:
            kept.append(helper.make_node("Identity", [renamed[output.name]], [output.name]))
    used = {name for node in kept for name in node.input}
    initializers = [each for each in (*graph.initializer, *added) if each.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(initializers)
    onnx.checker.check_model(document)
    serialized: bytes = document.SerializeToString(deterministic=True)
    return serialized


def _dequantized(values: list[Any], axis: int) -> Any:
    """Weights [...] with their scales and zero points along `axis`, as float32."""
    quantized, scale = values[0].astype(np.float32), values[1]
    zero_point = values[2].astype(np.float32) if len(values) > 2 else np.zeros_like(scale)
    if scale.ndim:
        shape = [1] * quantized.ndim
        shape[axis] = -1
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    return ((quantized - zero_point) * scale).astype(np.float32)
