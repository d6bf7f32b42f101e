"""The integer graph under construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.ir import Activation, Attributes, DType, Graph, Node, OpKind, Pad, Tensor
from edgeflow.lower.constants import quantization
from edgeflow.lower.layout import element_order, nhwc_shape
from edgeflow.quantize.grids import FixedGrid
from edgeflow.quantize.network import INPUT, Step, StepNetwork, fused_activations
from edgeflow.quantize.operators import Relu6


class GraphBuilder:
    """Takes the steps of a network with fixed grids in order."""

    def __init__(self, network: StepNetwork) -> None:
        self.network = network
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.fused = {producer: step for step, producer in fused_activations(network).items()}
        self._shapes = network.shapes()
        self._orders: dict[str, NDArray[np.int64]] = {}
        self.add_activation(INPUT)

    def add_activation(self, name: str, order: NDArray[np.int64] | None = None) -> None:
        """The tensor that a step makes, or the input; `order` if it is not the natural one."""
        shape = self._shapes[name]
        grid = self.network.quantizer(name)
        assert isinstance(grid, FixedGrid), f"{name} has no fixed grid"
        self.tensors[name] = Tensor(name, nhwc_shape(shape), DType.INT8, quantization(grid))
        self._orders[name] = element_order(shape) if order is None else order

    def add_constant(self, tensor: Tensor) -> str:
        """Weights or a bias; gives the name."""
        self.tensors[tensor.name] = tensor
        return tensor.name

    def result_name(self, step: Step) -> str:
        """The tensor that the operator of `step` writes: that of a fused activation, if any."""
        return self.fused.get(step.name, step.name)

    def activation(self, step: Step) -> Activation:
        """The activation that fuses into the operator of `step`."""
        name = self.fused.get(step.name)
        if name is None:
            return Activation.NONE
        relu6 = isinstance(self.network.operator(name), Relu6)
        return Activation.RELU6 if relu6 else Activation.RELU

    def add_node(
        self,
        step: Step,
        kind: OpKind,
        attributes: Attributes,
        constants: tuple[str, ...] = (),
        order: NDArray[np.int64] | None = None,
    ) -> None:
        """The node of a step, reading the step's inputs and `constants`."""
        output = self.result_name(step)
        self.add_activation(output, order)
        inputs = (*step.inputs, *constants)
        self.nodes.append(Node(step.name, kind, inputs, (output,), attributes))

    def add_padding(self, name: str, source: str, pads: tuple[tuple[int, int], ...]) -> str:
        """A PAD node that no step stands for; gives its result's name, which is also the node's."""
        tensor = self.tensors[source]
        shape = tuple(size + sum(pair) for size, pair in zip(tensor.shape, pads, strict=True))
        self.tensors[name] = replace(tensor, name=name, shape=shape)
        self.nodes.append(Node(name, OpKind.PAD, (source,), (name,), Pad(pads)))
        return name

    def zero_point(self, name: str) -> int:
        """Zero point of an activation."""
        parameters = self.tensors[name].quantization
        assert parameters is not None
        return parameters.zero_points[0]

    def scale(self, name: str) -> float:
        """Scale of an activation."""
        parameters = self.tensors[name].quantization
        assert parameters is not None
        return parameters.scales[0]

    def order(self, name: str) -> NDArray[np.int64]:
        """Element order of an activation, see `layout.element_order`."""
        return self._orders[name]

    def require_natural_order(self, name: str, step: Step) -> None:
        """Refuse a tensor that was flattened from a feature map where the order matters."""
        if not np.array_equal(self.order(name), element_order(self._shapes[name])):
            raise UnsupportedOperatorError(
                f"'{name}', flattened from [C, H, W], is used in {step.where} other than by a "
                f"linear layer",
                hint="devices hold feature maps as [H, W, C]: follow flatten by a linear layer, or "
                "pool to 1x1 first",
            )

    def graph(self, name: str) -> Graph:
        """The finished graph."""
        output = self.network.output
        return Graph(name, dict(self.tensors), tuple(self.nodes), (INPUT,), (output,))
