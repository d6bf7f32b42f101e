"""LiteRT's reference kernels, run on integer graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edgeflow.exchange.tflite import write
from edgeflow.graph.ir import Graph
from tests.exchange import tflite_edit as edit


def interpreter_for(model: bytes) -> Interpreter:
    """An interpreter of the reference kernels that keeps every tensor readable."""
    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


def reference_tensors(
    graph: Graph, inputs: dict[str, NDArray[np.int8]]
) -> dict[str, NDArray[np.int8]]:
    """Every tensor of the graph that is not a constant, [N, ...], example by example."""
    interpreter = interpreter_for(edit.edited(write(graph), _registered_versions))
    indices = {detail["name"]: detail["index"] for detail in interpreter.get_tensor_details()}
    activations = [name for name, tensor in graph.tensors.items() if not tensor.is_constant]
    collected: dict[str, list[NDArray[np.int8]]] = {name: [] for name in activations}
    for example in range(len(next(iter(inputs.values())))):
        for name, values in inputs.items():
            interpreter.set_tensor(indices[name], values[example : example + 1])
        interpreter.invoke()
        for name in activations:
            collected[name].append(interpreter.get_tensor(indices[name]))
    return {name: np.concatenate(values) for name, values in collected.items()}


def _registered_versions(model: Any) -> None:
    """LiteRT's reference resolver lists its depthwise kernel, which runs int4, up to version 6."""
    for code in model.operatorCodes:
        if code.builtinCode == edit.schema.BuiltinOperator.DEPTHWISE_CONV_2D:
            code.version = min(code.version, 6)
