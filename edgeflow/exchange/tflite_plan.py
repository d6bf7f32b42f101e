"""What a `.tflite` file of a graph will hold, before a byte of it is written.

TensorFlow Lite keeps some attributes in constants (PAD, MEAN, RESHAPE) and knows no explicit
paddings: those become a PAD before a VALID convolution, which reading folds back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import GraphError
from edgeflow.exchange.narrow_weights import plain_weights
from edgeflow.exchange.tflite_padding import PaddingScheme, paddings, scheme_of
from edgeflow.graph.ir import (
    Conv2D,
    DType,
    Graph,
    Mean,
    NoAttributes,
    Node,
    OpKind,
    Pad,
    Pool2D,
    Tensor,
    Window,
)

METADATA_SCHEMA_VERSION = 1
INT4_BITS = 4


@dataclass(frozen=True)
class PlannedOperator:
    """One operator of the file: its node, its operands in file order, how it says its padding."""

    node: Node
    operands: tuple[str, ...]
    scheme: PaddingScheme


@dataclass(frozen=True)
class FilePlan:
    """Tensors in file order, operators, and the metadata entry (empty: none is needed).

    `int4` names the weights that the file holds as INT4, two to a byte.
    """

    graph_name: str
    tensors: Mapping[str, Tensor]
    int4: frozenset[str]
    operators: tuple[PlannedOperator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: bytes


def plan_file(graph: Graph) -> FilePlan:
    """Lower the graph to what a `.tflite` file can say.

    Raises GraphError for pooling with paddings other than SAME or VALID: a PAD before it would
    change its result.
    """
    lowering = _Lowering(graph)
    for name in graph.inputs:
        lowering.keep(name)
    for node in graph.nodes:
        lowering.add(node)
    for name in graph.outputs:
        lowering.keep(name)
    int4 = frozenset(n for n in plain_weights(graph) if graph.tensors[n].bits <= INT4_BITS)
    return FilePlan(
        graph.name,
        lowering.tensors,
        int4,
        tuple(lowering.operators),
        graph.inputs,
        graph.outputs,
        _metadata(graph, int4),
    )


@dataclass
class _Lowering:
    """The file's tensors and operators while they are being collected."""

    graph: Graph
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[PlannedOperator] = field(default_factory=list)

    def keep(self, name: str) -> None:
        self.tensors.setdefault(name, self.graph.tensors[name])

    def add(self, node: Node) -> None:
        for name in node.inputs:
            self.keep(name)
        scheme = _scheme(self.graph, node)
        if scheme is PaddingScheme.EXPLICIT:
            node = self._split_padding(node)
            scheme = PaddingScheme.VALID
        operands = node.inputs + self._constant_operands(node)
        for name in node.outputs:
            self.keep(name)
        self.operators.append(PlannedOperator(node, operands, scheme))

    def _new(self, tensor: Tensor) -> str:
        name = tensor.name
        number = 1
        while name in self.tensors or name in self.graph.tensors:
            number += 1
            name = f"{tensor.name}_{number}"
        self.tensors[name] = replace(tensor, name=name)
        return name

    def _split_padding(self, node: Node) -> Node:
        """Put the node's paddings into a PAD before it; the node that remains is VALID."""
        assert isinstance(node.attributes, Conv2D)
        window = node.attributes.window
        top, bottom, left, right = paddings(window)
        x = self.graph.tensors[node.inputs[0]]
        batch, height, width, channels = x.shape
        padded = self._new(
            replace(
                x,
                name=f"{node.outputs[0]}/padded",
                shape=(batch, height + top + bottom, width + left + right, channels),
            )
        )
        pads = ((0, 0), (top, bottom), (left, right), (0, 0))
        pad = Node(padded, OpKind.PAD, (x.name,), (padded,), Pad(pads))
        self.operators.append(
            PlannedOperator(pad, pad.inputs + self._constant_operands(pad), PaddingScheme.VALID)
        )
        valid = replace(window, pad_top=0, pad_bottom=0, pad_left=0, pad_right=0)
        return replace(
            node,
            inputs=(padded, *node.inputs[1:]),
            attributes=replace(node.attributes, window=valid),
        )

    def _constant_operands(self, node: Node) -> tuple[str, ...]:
        match node.attributes:
            case Pad(pads=pads):
                role, values = "paddings", np.asarray(pads, dtype=np.int32).reshape(-1, 2)
            case Mean(axes=axes):
                role, values = "axes", np.asarray(axes, dtype=np.int32)
            case NoAttributes() if node.kind is OpKind.RESHAPE:
                shape = self.graph.tensors[node.outputs[0]].shape
                role, values = "shape", np.asarray(shape, dtype=np.int32)
            case _:
                return ()
        return (self._new(_int32_constant(f"{node.outputs[0]}/{role}", values)),)


def _int32_constant(name: str, values: NDArray[np.int32]) -> Tensor:
    return Tensor(name, values.shape, DType.INT32, None, values)


def _scheme(graph: Graph, node: Node) -> PaddingScheme:
    match node.attributes:
        case Conv2D(window=window):
            kernel_hw = graph.tensors[node.inputs[1]].shape[1:3]
        case Pool2D(kernel_h=kernel_h, kernel_w=kernel_w, window=window):
            kernel_hw = (kernel_h, kernel_w)
        case _:
            return PaddingScheme.VALID
    height, width = graph.tensors[node.inputs[0]].shape[1:3]
    scheme = scheme_of(window, (height, width), (kernel_hw[0], kernel_hw[1]))
    if scheme is PaddingScheme.EXPLICIT and isinstance(node.attributes, Pool2D):
        raise _unwritable_pool(node, window)
    return scheme


def _unwritable_pool(node: Node, window: Window) -> GraphError:
    return GraphError(
        f"{node.kind} {node.name!r}: paddings (top, bottom, left, right) = {paddings(window)} are "
        "neither SAME nor VALID, and TensorFlow Lite has no other padding for pooling",
        hint="use SAME or VALID paddings for the pooling layer",
    )


def _metadata(graph: Graph, int4: frozenset[str]) -> bytes:
    """What TensorFlow Lite's schema has no field for, as JSON; empty where there is nothing."""
    bits = {
        t.name: t.bits
        for t in graph.tensors.values()
        if t.is_constant and t.bits != (INT4_BITS if t.name in int4 else 8)
    }
    names = {n.outputs[0]: n.name for n in graph.nodes if n.outputs[0] != n.name}
    if not bits and not names:
        return b""
    document = {
        "schema_version": METADATA_SCHEMA_VERSION,
        "weight_bits": bits,
        "node_names": names,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
