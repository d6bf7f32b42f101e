"""Torch modules for the typed ONNX operators, and the network that runs them in order."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgeflow.errors import UnsupportedOperatorError
from edgeflow.exchange.onnx_layers import (
    ConstantPad,
    Join,
    Mean,
    Permute,
    Product,
    ProductWithConstant,
    Reshape,
    Sum,
    SumWithConstant,
)
from edgeflow.exchange.onnx_model import Array
from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    ArithmeticKind,
    Clamp,
    Concatenate,
    Convolution,
    Dense,
    Flow,
    Normalization,
    Padding,
    PassThrough,
    Permutation,
    Pooling,
    PoolKind,
    ReduceMean,
    Reshaping,
    Sigmoid,
    SoftmaxAlong,
    Step,
)


@dataclass(frozen=True, eq=False)
class Layer:
    """A step of the network: which tensors it reads, its module, the tensor it makes."""

    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    output: str


class OnnxNetwork(nn.Module):
    """Layers in the order of the ONNX file; weights are parameters of its submodules."""

    def __init__(self, source: str, output: str, layers: list[Layer]) -> None:
        super().__init__()
        self._source = source
        self._output = output
        plan = []
        for index, layer in enumerate(layers):
            plain = re.sub(r"\W+", "_", layer.name, flags=re.ASCII).strip("_")[:48]
            attribute = f"{plain or 'layer'}_{index}"
            self.add_module(attribute, layer.module)
            plan.append((attribute, layer.inputs, layer.output))
        self._plan = tuple(plan)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the output of the file with a batch of N."""
        values = {self._source: x}
        for attribute, inputs, output in self._plan:
            module = self.get_submodule(attribute)
            values[output] = module(*(values[name] for name in inputs))
        return values[self._output]


def layer_for(step: Step, flow: Flow) -> Layer:
    """The module of a step; raises UnsupportedOperatorError where torch has none for its form."""
    data = tuple(name for name in step.inputs if name not in flow.constants)
    constants = [flow.constants[name] for name in step.inputs if name in flow.constants]
    for values in constants:
        if values.dtype != np.float32:
            raise _refuse(step, f"a constant of element type {values.dtype}")
    return Layer(step.name, _module(step, data, constants, flow), data, step.output)


def _refuse(step: Step, reason: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(f"node {step.name!r} ({step.op_type}): {reason}")


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _module(step: Step, data: tuple[str, ...], constants: list[Array], flow: Flow) -> nn.Module:
    operator = step.operator
    arity = 2 if isinstance(operator, Arithmetic) and not constants else 1
    if not isinstance(operator, Concatenate) and len(data) != arity:
        raise _refuse(step, f"reads {len(data)} tensors that depend on the data; supported {arity}")
    shape = flow.shapes[data[0]]
    match operator:
        case Convolution():
            return _convolution(operator, constants)
        case Dense():
            return _dense(operator, constants)
        case Normalization():
            return _normalization(step, operator, constants, shape)
        case Pooling():
            return _pooling(step, operator)
        case Arithmetic(kind):
            return _arithmetic(step, kind, constants, flow)
        case ReduceMean((2, 3), True) if len(shape) == 4:
            return nn.AdaptiveAvgPool2d(1)
        case ReduceMean(axes, keep_dims):
            return Mean(axes, keep_dims)
        case Padding(pads, value):
            if pads[0] != (0, 0):
                raise _refuse(step, "pads the batch")
            return ConstantPad(tuple(p for pair in reversed(pads[1:]) for p in pair), value)
        case Reshaping(target):
            if target[0] != 1:
                raise _refuse(step, f"the result {list(target)} has no batch dimension in front")
            return nn.Flatten(1) if len(target) == 2 else Reshape(target[1:])
        case Permutation(order):
            if order[0] != 0:
                raise _refuse(step, "moves the batch dimension")
            return Permute(order)
        case Concatenate(axis):
            if constants or axis == 0:
                raise _refuse(step, "joins constants, or along the batch")
            return Join(axis)
        case SoftmaxAlong(axis):
            if axis == 0:
                raise _refuse(step, "over the batch")
            return nn.Softmax(axis)
        case Sigmoid():
            return nn.Sigmoid()
        case Clamp(low, high):
            return _clamp(low, high)
        case PassThrough(ratio):
            return nn.Dropout(ratio) if ratio else nn.Identity()
    raise _refuse(step, "is no operator of a float network")


def _convolution(operator: Convolution, constants: list[Array]) -> nn.Module:
    weights, w = constants[0], operator.window
    symmetric = w.pad_top == w.pad_bottom and w.pad_left == w.pad_right
    module = nn.utils.skip_init(
        nn.Conv2d,
        weights.shape[1] * operator.groups,
        weights.shape[0],
        (weights.shape[2], weights.shape[3]),
        stride=(w.stride_h, w.stride_w),
        padding=(w.pad_top, w.pad_left) if symmetric else (0, 0),
        dilation=(w.dilation_h, w.dilation_w),
        groups=operator.groups,
        bias=len(constants) > 1,
    )
    module.weight = nn.Parameter(_tensor(weights))
    if len(constants) > 1:
        module.bias = nn.Parameter(_tensor(constants[1]))
    if symmetric:
        return module
    pads = (w.pad_left, w.pad_right, w.pad_top, w.pad_bottom)
    return nn.Sequential(nn.ZeroPad2d(pads), module)


def _dense(operator: Dense, constants: list[Array]) -> nn.Module:
    weights = constants[0] if operator.weights_transposed else constants[0].T
    module = nn.utils.skip_init(
        nn.Linear, weights.shape[1], weights.shape[0], bias=len(constants) > 1
    )
    module.weight = nn.Parameter(_tensor(weights * np.float32(operator.weights_factor)))
    if len(constants) > 1:
        bias = constants[1].reshape(-1) * np.float32(operator.bias_factor)
        module.bias = nn.Parameter(_tensor(bias))
    return module


def _normalization(
    step: Step, operator: Normalization, constants: list[Array], shape: tuple[int, ...]
) -> nn.Module:
    kinds = {2: nn.BatchNorm1d, 4: nn.BatchNorm2d}
    if len(shape) not in kinds:
        raise _refuse(step, f"input of shape {list(shape)}")
    momentum = min(max(1.0 - operator.momentum, 0.0), 1.0)
    module = kinds[len(shape)](shape[1], eps=operator.epsilon, momentum=momentum)
    module.weight = nn.Parameter(_tensor(constants[0]))
    module.bias = nn.Parameter(_tensor(constants[1]))
    module.register_buffer("running_mean", _tensor(constants[2]))
    module.register_buffer("running_var", _tensor(constants[3]))
    return module


def _pooling(step: Step, operator: Pooling) -> nn.Module:
    w, kernel = operator.window, (operator.kernel_h, operator.kernel_w)
    strides = (w.stride_h, w.stride_w)
    pads = (w.pad_left, w.pad_right, w.pad_top, w.pad_bottom)
    symmetric = w.pad_top == w.pad_bottom and w.pad_left == w.pad_right
    centred = symmetric and 2 * w.pad_top <= kernel[0] and 2 * w.pad_left <= kernel[1]
    padding = (w.pad_top, w.pad_left) if centred else (0, 0)
    if operator.kind is PoolKind.MAX:
        dilation = (w.dilation_h, w.dilation_w)
        pool: nn.Module = nn.MaxPool2d(kernel, strides, padding, dilation)
        fill = -math.inf
    elif centred or operator.counts_padding:
        pool = nn.AvgPool2d(kernel, strides, padding, count_include_pad=operator.counts_padding)
        fill = 0.0
    else:
        raise _refuse(step, f"average over uneven padding {pads} that does not count")
    return pool if centred else nn.Sequential(nn.ConstantPad2d(pads, fill), pool)


def _arithmetic(step: Step, kind: ArithmeticKind, constants: list[Array], flow: Flow) -> nn.Module:
    add = kind is ArithmeticKind.ADD
    rank = len(flow.shapes[step.output])
    for name in step.inputs:
        shape = flow.shapes[name]
        if name not in flow.constants and (len(shape) != rank or shape[0] != 1):
            raise _refuse(step, f"broadcasts {list(shape)} to {rank} dimensions")
    if not constants:
        return Sum() if add else Product()
    constant = _tensor(constants[0])
    if constant.ndim == rank and constant.shape[0] != 1:
        raise _refuse(step, "a constant that spans the batch")
    return SumWithConstant(constant) if add else ProductWithConstant(constant)


def _clamp(low: float, high: float) -> nn.Module:
    if low == 0.0 and high == math.inf:
        return nn.ReLU()
    if low == 0.0 and high == 6.0:
        return nn.ReLU6()
    return nn.Hardtanh(low, high)
