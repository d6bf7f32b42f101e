"""Steps of a file that become part of a convolution or dense step: biases, layout changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgeflow.exchange.onnx_model import Array
from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    ArithmeticKind,
    Convolution,
    Dense,
    Flow,
    Permutation,
    Reshaping,
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


def fuse_flattening(flow: Flow) -> Flow:
    """Transpose to NHWC, Reshape to a vector, dense: the dense weights are permuted instead."""
    consumers = flow.consumers()
    constants = dict(flow.constants)
    changed: dict[str, Step] = {}
    for step in flow.steps:
        flatten = _sole(consumers, flow, step)
        dense = None if flatten is None else _sole(consumers, flow, flatten)
        if flatten is None or dense is None or not _flattens_permuted(flow, step, flatten, dense):
            continue
        assert isinstance(step.operator, Permutation)
        assert isinstance(dense.operator, Dense)
        shape = flow.shapes[step.inputs[0]]
        indices = np.arange(math.prod(shape)).reshape(shape)
        order = indices.transpose(step.operator.order).reshape(-1)
        weights = flow.constants[dense.inputs[1]]
        permuted = np.empty_like(weights)
        if dense.operator.weights_transposed:
            permuted[:, order] = weights
        else:
            permuted[order] = weights
        name = f"{dense.output}/weights"
        while name in constants or name in flow.shapes:
            name += "_"
        constants[name] = permuted
        changed[flatten.name] = replace(flatten, inputs=step.inputs)
        changed[dense.name] = replace(dense, inputs=(dense.inputs[0], name, *dense.inputs[2:]))
        changed[step.name] = replace(step, inputs=())
    steps = tuple(changed.get(step.name, step) for step in flow.steps)
    shapes = dict(flow.shapes) | {name: array.shape for name, array in constants.items()}
    kept = tuple(step for step in steps if step.inputs)
    return replace(flow, steps=kept, constants=constants, shapes=shapes)


def _sole(consumers: Mapping[str, list[Step]], flow: Flow, step: Step) -> Step | None:
    after = consumers.get(step.output, [])
    return after[0] if len(after) == 1 and step.output not in flow.outputs else None


def _flattens_permuted(flow: Flow, step: Step, flatten: Step, dense: Step) -> bool:
    return (
        isinstance(step.operator, Permutation)
        and step.operator.order[0] == 0
        and isinstance(flatten.operator, Reshaping)
        and len(flatten.operator.shape) == 2
        and flatten.operator.shape[0] == 1
        and isinstance(dense.operator, Dense)
        and dense.inputs[0] == flatten.output
        and dense.inputs[1] in flow.constants
    )


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
