"""The interpreter: what an integer graph computes, bit for bit as LiteRT's reference kernels.

The graph must have passed `checker.check`. Arrays are int8 and have the graph's shapes but for the
first dimension, which may be any number N of examples, the same for every input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import GraphError
from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.kernels import KERNELS
from edgeflow.graph.kernels.arrays import Int8Array, Value


def run(graph: Graph, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, Int8Array]:
    """The graph's outputs for the inputs [N, ...], each by its name.

    Raises:
        GraphError: inputs of other names, types or shapes than the graph's.
    """
    last_use = {name: node for node in graph.nodes for name in node.inputs}
    values = _given(graph, inputs)
    for node, output in _steps(graph, values):
        values[node.outputs[0]] = output
        for name in set(node.inputs):
            if last_use[name] is node and name not in graph.outputs:
                values.pop(name, None)
    return {name: values[name] for name in graph.outputs}


def trace(graph: Graph, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, Int8Array]:
    """Every tensor that is not a constant, each by its name: inputs, then outputs of the nodes.

    Raises:
        GraphError: inputs of other names, types or shapes than the graph's.
    """
    values = _given(graph, inputs)
    for node, output in _steps(graph, values):
        values[node.outputs[0]] = output
    return values


def run_batch(graph: Graph, x: NDArray[np.int8]) -> Int8Array:
    """x [N, ...] to y [N, ...] for a graph of one input and one output.

    Raises:
        GraphError: the graph has more inputs or outputs, or x has another type or shape.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise GraphError(
            f"graph '{graph.name}' has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs",
            hint="A batch runs through graphs of one input and one output.",
        )
    return run(graph, {graph.inputs[0]: x})[graph.outputs[0]]


def _steps(graph: Graph, values: Mapping[str, Int8Array]) -> Iterator[tuple[Node, Int8Array]]:
    for node in graph.nodes:
        operands: list[Value] = []
        for name in node.inputs:
            constant = graph.tensors[name].data
            operands.append(values[name] if constant is None else constant)
        yield node, KERNELS[node.kind](graph, node, operands)


def _given(graph: Graph, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, Int8Array]:
    if set(inputs) != set(graph.inputs):
        raise GraphError(
            f"graph '{graph.name}' has the inputs {sorted(graph.inputs)}, got {sorted(inputs)}",
            hint="Pass one array for each input, by its name.",
        )
    batches = set()
    for name in graph.inputs:
        array, shape = inputs[name], graph.tensors[name].shape
        if array.dtype != np.int8 or array.ndim != len(shape) or array.shape[1:] != shape[1:]:
            raise GraphError(
                f"input '{name}' is {array.dtype}{list(array.shape)}, "
                f"the graph takes int8[N, {', '.join(str(size) for size in shape[1:])}]",
                hint="Quantize the data with the input's scale and zero point first.",
            )
        batches.add(len(array))
    if len(batches) > 1 or 0 in batches:
        raise GraphError(
            f"inputs of graph '{graph.name}' have the batch sizes {sorted(batches)}",
            hint="Every input needs the same number of examples, at least one.",
        )
    return {name: inputs[name] for name in graph.inputs}
