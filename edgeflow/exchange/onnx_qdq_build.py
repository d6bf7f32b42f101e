"""The integer graph under construction while a QDQ model is read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgeflow.errors import ModelError
from edgeflow.exchange.onnx_model import Array
from edgeflow.exchange.onnx_operators import (
    Clamp,
    Concatenate,
    Dequantizing,
    Flow,
    Padding,
    PassThrough,
    Permutation,
    Pooling,
    PoolKind,
    Quantizing,
    Reshaping,
    Step,
)
from edgeflow.exchange.onnx_qdq_values import (
    QuantizedConstant,
    Value,
    activation_quantization,
    dtype_of,
    linear_parameters,
    unquantized,
)
from edgeflow.graph.ir import (
    Activation,
    Attributes,
    NoAttributes,
    Node,
    OpKind,
    Quantization,
    Tensor,
)

_MAX_HOPS = 256  # how far a QuantizeLinear is searched for behind layout operators


@dataclass
class Building:
    """Tensors and nodes so far, and what each ONNX tensor of the flow stands for."""

    flow: Flow
    consumers: dict[str, list[Step]]
    bits: dict[str, int]
    single_channel_depthwise: frozenset[str]
    identity_quantize: frozenset[str]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    constants: dict[str, QuantizedConstant] = field(default_factory=dict)
    softmax_factors: dict[str, float] = field(default_factory=dict)
    quantized_from: dict[str, str] = field(default_factory=dict)
    fused: set[str] = field(default_factory=set)
    _node_names: set[str] = field(default_factory=set)

    def operand(self, step: Step, index: int) -> Value:
        """A dequantized activation that a step reads."""
        name = step.inputs[index]
        value = self.values.get(name)
        if value is None:
            raise unquantized(step, f"its input {name!r}")
        if value.codes is not None:
            raise ModelError(
                f"node {step.name!r} ({step.op_type}) reads {name!r}, which holds integers: "
                "DequantizeLinear is missing"
            )
        return value

    def sole_consumer(self, output: str) -> Step | None:
        """The one step that reads a tensor, if the tensor is nothing else's business."""
        after = self.consumers.get(output, [])
        return after[0] if len(after) == 1 and output not in self.flow.outputs else None

    def quantization_after(self, output: str) -> Quantization | None:
        """Parameters of the first QuantizeLinear that the tensor reaches unchanged in value."""
        front, seen = [output], {output}
        while front and len(seen) < _MAX_HOPS:
            for step in self.consumers.get(front.pop(0), []):
                if isinstance(step.operator, Quantizing):
                    return self.quantizer(step)
                if _keeps_values(step) and step.output not in seen:
                    seen.add(step.output)
                    front.append(step.output)
        return None

    def quantizer(self, step: Step) -> Quantization:
        """Parameters of a QuantizeLinear of an activation."""
        constants = self.flow.constants
        zero = constants[step.inputs[2]] if len(step.inputs) > 2 else None
        codes = quantizer_type(self.flow, step)
        scales, zeros = linear_parameters(step, constants[step.inputs[1]], zero, codes)
        return activation_quantization(step, scales, zeros)

    def activation_after(self, output: str, quantization: Quantization) -> tuple[Activation, str]:
        """The Relu or Clip that fuses behind a tensor, and the tensor behind it."""
        step = self.sole_consumer(output)
        if step is None or not isinstance(step.operator, Clamp):
            return Activation.NONE, output
        activation = clamp_activation(step.operator, quantization)
        if activation is None:
            return Activation.NONE, output
        self.fused.add(step.name)
        return activation, step.output

    def clamped_output(self, output: str) -> str:
        """The tensor behind the Relu or Clip that may fuse; the tensor itself without one."""
        step = self.sole_consumer(output)
        return step.output if step is not None and isinstance(step.operator, Clamp) else output

    def tensor_name(self, output: str) -> str:
        """The name of the integer tensor: the graph output's, else the float tensor's before Q."""
        step = self.sole_consumer(output)
        while step is not None and isinstance(step.operator, Permutation | PassThrough):
            output = step.output
            step = self.sole_consumer(output)
        if step is not None and isinstance(step.operator, Quantizing):
            return self.graph_output_behind(step.output) or output
        return output

    def graph_output_behind(self, codes: str) -> str | None:
        """The graph output that is the dequantized form of an integer tensor."""
        for step in self.consumers.get(codes, []):
            if isinstance(step.operator, Dequantizing) and step.output in self.flow.outputs:
                return step.output
        return None

    def new_name(self, wanted: str) -> str:
        """A tensor name that is not taken."""
        name, count = wanted, 0
        while name in self.tensors:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def emit(
        self,
        kind: OpKind,
        inputs: tuple[str, ...],
        like: Value,
        attributes: Attributes = NoAttributes(),  # noqa: B008
        *,
        node: str,
    ) -> Value:
        """Append a node whose output is `like` under a free name."""
        name = self.new_name(like.tensor)
        node_name, count = node, 0
        while node_name in self._node_names:
            count += 1
            node_name = f"{node}_{count}"
        self._node_names.add(node_name)
        self.tensors[name] = Tensor(
            name, like.shape, dtype_of(np.zeros(1, np.int8)), like.quantization
        )
        self.nodes.append(Node(node_name, kind, inputs, (name,), attributes))
        return replace(like, tensor=name)

    def add_constant(self, wanted: str, data: Array, quantization: Quantization) -> str:
        """Append a constant tensor; an equal one of that name is used again."""
        known = self.tensors.get(wanted)
        if (
            known is not None
            and known.data is not None
            and known.quantization == quantization
            and known.data.dtype == data.dtype
            and np.array_equal(known.data, data)
        ):
            return wanted
        name = self.new_name(wanted)
        values = np.ascontiguousarray(data)
        values.setflags(write=False)
        bits = self.bits.get(wanted, 8)
        self.tensors[name] = Tensor(
            name, values.shape, dtype_of(values), quantization, values, bits
        )
        return name


def quantizer_type(flow: Flow, step: Step) -> np.dtype[Any]:
    """The integers that a QuantizeLinear writes: its zero point's type, uint8 without one."""
    return flow.constants[step.inputs[2]].dtype if len(step.inputs) > 2 else np.dtype(np.uint8)


def _keeps_values(step: Step) -> bool:
    match step.operator:
        case Reshaping() | Permutation() | PassThrough() | Padding() | Concatenate():
            return True
        case Pooling(kind):
            return kind is PoolKind.MAX
    return False


def clamp_activation(clamp: Clamp, quantization: Quantization) -> Activation | None:
    """The activation that equals a clamp on such a tensor; None if there is none."""
    scale, zero_point = quantization.scales[0], quantization.zero_points[0]
    smallest, largest = scale * (-128 - zero_point), scale * (127 - zero_point)
    if clamp.low <= smallest and clamp.high >= largest:
        if clamp.low == 0.0 and clamp.high in (6.0, float("inf")):
            return Activation.RELU if clamp.high == float("inf") else Activation.RELU6
        return Activation.NONE
    if clamp.low == 0.0 and clamp.high == 6.0:
        return Activation.RELU6
    if clamp.low == 0.0 and clamp.high >= largest:
        return Activation.RELU
    return None
