"""A builder of integer graphs for tests; dead nodes are left out at the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.ir import Attributes, DType, Graph, Node, OpKind, Quantization, Tensor
from edgeflow.graph.shape_inference import infer_shape

Shape = tuple[int, ...]


@dataclass
class GraphBuilder:
    """Collects a graph. Shapes of outputs are inferred; RESHAPE states its own."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)

    def input(self, shape: Shape, quantization: Quantization) -> Tensor:
        tensor = self._add(Tensor(f"input{len(self.inputs)}", shape, DType.INT8, quantization))
        self.inputs.append(tensor.name)
        return tensor

    def constant(
        self,
        data: NDArray[np.int8] | NDArray[np.int32],
        quantization: Quantization,
        bits: int = 8,
    ) -> Tensor:
        name = f"constant{len(self.tensors)}"
        dtype = DType(str(data.dtype))
        return self._add(Tensor(name, data.shape, dtype, quantization, data, bits))

    def node(
        self,
        kind: OpKind,
        inputs: list[Tensor],
        attributes: Attributes,
        quantization: Quantization,
        shape: Shape = (1,),
    ) -> Tensor:
        name = f"{kind.lower()}{len(self.nodes)}"
        output = Tensor(f"{name}_output", shape, DType.INT8, quantization)
        node = Node(name, kind, tuple(t.name for t in inputs), (output.name,), attributes)
        alone = Graph("", {**self.tensors, output.name: output}, (node,), (), ())
        inferred = infer_shape(alone, node)
        self.nodes.append(node)
        return self._add(replace(output, shape=inferred))

    def leaves(self) -> list[str]:
        """Outputs of nodes that no node reads."""
        read = {name for node in self.nodes for name in node.inputs}
        return [name for node in self.nodes for name in node.outputs if name not in read]

    def build(self, outputs: list[str], name: str = "graph") -> Graph:
        """The graph of the nodes that the outputs need; inputs stay whether read or not."""
        needed = set(outputs)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                needed.update(node.inputs)
                kept.append(node)
        inputs = [name for name in self.inputs if name in needed]
        tensors = {name: t for name, t in self.tensors.items() if name in needed}
        return Graph(name, tensors, tuple(reversed(kept)), tuple(inputs), tuple(outputs))

    def _add(self, tensor: Tensor) -> Tensor:
        self.tensors[tensor.name] = tensor
        return tensor
