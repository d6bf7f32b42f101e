"""What a node becomes: calls of kernels and constants of the layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgeflow.backends.firmware.c_text import ConstantArray, CType, Expression, Value
from edgeflow.graph.ir import Graph, Node, Tensor


@dataclass(frozen=True)
class KernelCall:
    """`function(&layer, arguments...)` with `layer` a constant struct of type `layer_type`.

    `header` declares both; `sources` names the kernel set's C and assembler files to build.
    """

    function: str
    header: str
    layer_type: str
    layer: Mapping[str, Value]
    arguments: tuple[Expression, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class RenderedLayer:
    """What one node becomes. No calls: the node needs no code (RESHAPE in place)."""

    calls: tuple[KernelCall, ...]
    constants: tuple[ConstantArray, ...] = ()


@dataclass(frozen=True, eq=False)
class LayerContext:
    """A node with all that its rendering may ask for.

    `given_places` are tensors whose place the caller of the layer's function says.
    """

    graph: Graph
    node: Node
    prefix: str
    offset_bytes: Mapping[str, int]
    scratch_offset_bytes: int | None
    given_places: Mapping[str, Expression] = field(default_factory=dict)

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self.graph.tensors[name]

    @property
    def output(self) -> Tensor:
        """The node's output tensor."""
        return self.graph.tensors[self.node.outputs[0]]

    def input(self, index: int) -> Tensor:
        """The node's input tensor at a position."""
        return self.graph.tensors[self.node.inputs[index]]

    def constant(self, role: str, element: CType, values: object, what: str) -> ConstantArray:
        """A constant array of this layer, named after it and its role."""
        flat = np.asarray(values, dtype=np.int64).reshape(-1)
        return ConstantArray(f"{self.prefix}_{role}", element, flat, what)

    def place(self, name: str) -> Expression:
        """Where a tensor lives."""
        if name in self.given_places:
            return self.given_places[name]
        return Expression(f"&edgeflow_arena[{self.offset_bytes[name]}]")

    def scratch(self, offset_bytes: int = 0) -> Expression:
        """A place in the node's working memory; only for nodes that asked for some."""
        assert self.scratch_offset_bytes is not None
        return Expression(f"&edgeflow_arena[{self.scratch_offset_bytes + offset_bytes}]")


Renderer = Callable[[LayerContext], RenderedLayer]
