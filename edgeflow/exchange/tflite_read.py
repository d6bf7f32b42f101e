"""`.tflite` bytes to the integer graph, in canonical form and checked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from edgeflow.errors import GraphError, ModelError, UnsupportedOperatorError
from edgeflow.exchange.tflite_boundary import drop_shape_arithmetic, strip_boundary
from edgeflow.exchange.tflite_file import RawModel, parse
from edgeflow.exchange.tflite_operators import READERS
from edgeflow.exchange.tflite_plan import METADATA_SCHEMA_VERSION
from edgeflow.exchange.tflite_scope import Scope
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.checker import check
from edgeflow.graph.ir import Graph, Node, Tensor

_NAMED_AT_MOST = 5
_METADATA_HINT = "the file was altered after edgeflow wrote it; export the model again"


def read_graph(data: bytes) -> Graph:
    """The integer graph of a `.tflite` file; see `edgeflow.exchange.tflite.read`."""
    # Extreme scales overflow float32 on the way to the checks that refuse them.
    with np.errstate(all="ignore"):
        return _graph(data)


def _graph(data: bytes) -> Graph:
    model = drop_shape_arithmetic(strip_boundary(parse(data)))
    _refuse_unknown(model)
    scope = Scope(model)
    inputs = tuple(
        scope.keep_int8(model.tensors[index], f"input {model.tensors[index].name!r}").name
        for index in model.inputs
    )
    for operator in model.operators:
        READERS[operator.kind](scope, operator)
    outputs = tuple(
        scope.keep_int8(model.tensors[index], f"output {model.tensors[index].name!r}").name
        for index in model.outputs
    )
    graph = Graph(model.name, scope.tensors, tuple(scope.nodes), inputs, outputs)
    try:
        return _checked(_with_metadata(graph, model.metadata))
    except GraphError as error:
        raise ModelError(
            f"the .tflite file holds a network that is not valid: {error.message}",
            hint=error.hint or "export the model again",
        ) from error


def _checked(graph: Graph) -> Graph:
    check(graph)
    canonical = canonicalize(graph)
    check(canonical)
    return canonical


def _refuse_unknown(model: RawModel) -> None:
    unknown = [operator for operator in model.operators if operator.kind not in READERS]
    if unknown:
        labels = "; ".join(operator.label for operator in unknown[:_NAMED_AT_MOST])
        more = len(unknown) - _NAMED_AT_MOST
        raise UnsupportedOperatorError(
            f"not supported: {labels}{f'; and {more} more' if more > 0 else ''}",
            hint=f"supported operators: {', '.join(sorted(READERS))}",
        )


def _with_metadata(graph: Graph, metadata: bytes) -> Graph:
    """The graph with the names and widths that our own writer put beside it."""
    if not metadata:
        return graph
    try:
        document = json.loads(metadata)
        version = document["schema_version"]
        bits, names = dict(document["weight_bits"]), dict(document["node_names"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelError(f"metadata of edgeflow: {error}", hint=_METADATA_HINT) from error
    if version != METADATA_SCHEMA_VERSION:
        raise ModelError(
            f"metadata of edgeflow has schema version {version!r}, this edgeflow reads "
            f"{METADATA_SCHEMA_VERSION}",
            hint="update edgeflow",
        )
    tensors = {name: _narrowed(tensor, bits) for name, tensor in graph.tensors.items()}
    nodes = tuple(_renamed(node, names) for node in graph.nodes)
    if len({node.name for node in nodes}) != len(nodes):
        raise ModelError("metadata of edgeflow names two nodes alike", hint=_METADATA_HINT)
    return replace(graph, tensors=tensors, nodes=nodes)


def _narrowed(tensor: Tensor, bits: dict[str, object]) -> Tensor:
    width = bits.get(tensor.name)
    if width is None:
        return tensor
    if tensor.data is None or not isinstance(width, int) or not 1 <= width <= 32:
        raise ModelError(
            f"metadata of edgeflow gives tensor {tensor.name!r} {width!r} bits", hint=_METADATA_HINT
        )
    return replace(tensor, bits=width)


def _renamed(node: Node, names: dict[str, object]) -> Node:
    name = names.get(node.outputs[0], node.name)
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ModelError(f"metadata of edgeflow names a node {name!r}", hint=_METADATA_HINT)
    return replace(node, name=name)
