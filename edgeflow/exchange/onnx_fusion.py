"""Biases that a file adds in a separate Add become inputs of the convolution or dense step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeflow.exchange.onnx_model import Array
from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    ArithmeticKind,
    Convolution,
    Dense,
    Flow,
    Permutation,
    Step,
)


def fuse_biases(flow: Flow) -> Flow:
    """MatMul or Conv without bias, then Add of one constant per channel, become one step."""
    consumers = flow.consumers()
    constants = dict(flow.constants)
    gone: set[str] = set()
    steps: list[Step] = []
    for step in flow.steps:
        if step.name in gone:
            continue
        after = consumers.get(step.output, [])
        bias = None
        if _lacks_bias(step) and len(after) == 1 and step.output not in flow.outputs:
            bias = _added_bias(flow, step, after[0])
        if bias is None:
            steps.append(step)
            continue
        name = f"{after[0].output}/bias"
        while name in constants or name in flow.shapes:
            name += "_"
        constants[name] = bias
        gone.add(after[0].name)
        steps.append(replace(step, inputs=(*step.inputs, name), output=after[0].output))
    shapes = dict(flow.shapes) | {name: array.shape for name, array in constants.items()}
    return replace(flow, steps=tuple(steps), constants=constants, shapes=shapes)


def _lacks_bias(step: Step) -> bool:
    return isinstance(step.operator, Convolution | Dense) and len(step.inputs) == 2


def _added_bias(flow: Flow, step: Step, add: Step) -> Array | None:
    if add.operator != Arithmetic(ArithmeticKind.ADD) or len(add.inputs) != 2:
        return None
    other = add.inputs[1] if add.inputs[0] == step.output else add.inputs[0]
    shape = flow.shapes[step.output]
    if other not in flow.constants or flow.shapes[add.output] != shape:
        return None
    values = flow.constants[other]
    aligned = (1,) * (len(shape) - values.ndim) + values.shape
    per_channel = (1, shape[1]) + (1,) * (len(shape) - 2)
    return values.reshape(-1) if aligned == per_channel else None


def reads_channels_last(consumers: Mapping[str, list[Step]], name: str) -> bool:
    """Whether a rank-4 tensor is [N, H, W, C]: its first use permutes it to [N, C, H, W]."""
    front = [name]
    while front:
        after = consumers.get(front.pop(), [])
        for step in after:
            if step.operator == Permutation((0, 3, 1, 2)):
                return True
            if step.op_type in ("QuantizeLinear", "DequantizeLinear", "Identity"):
                front.append(step.output)
    return False
