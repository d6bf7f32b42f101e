"""Operators of torch.export (aten) to operators of step networks, one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from edgeflow.quantize import arithmetic
from edgeflow.quantize import operators as ops
from edgeflow.quantize.step_builder import (
    Arguments,
    Builder,
    Operand,
    dimensions,
    pair,
    require_rank,
)

Conversion = Callable[[Builder, Arguments], Operand]


def _constant(b: Builder, value: Any, what: str) -> Tensor | None:
    if isinstance(value, Operand):
        raise b.refuse(f"{what} depends on the network's input")
    return value if value is None else value.detach().to(torch.float32)


def _convolution(b: Builder, a: Arguments) -> Operand:
    x = a["input"]
    require_rank(b, x, 4)
    weight = _constant(b, a["weight"], "the weight")
    assert weight is not None
    bias = _constant(b, a["bias"], "the bias")
    dilation = pair(a["dilation"])
    x, padding = _explicit_padding(b, x, a["padding"], weight, dilation)
    operator = ops.Convolution(
        weight,
        torch.zeros(len(weight)) if bias is None else bias,
        stride=pair(a["stride"]),
        padding=padding,
        dilation=dilation,
        groups=int(a["groups"]),
    )
    return b.add(operator, (x,), b.shape)


def _explicit_padding(
    b: Builder, x: Operand, padding: Any, weight: Tensor, dilation: tuple[int, int]
) -> tuple[Operand, tuple[int, int]]:
    """ "same" and "valid" as figures; uneven padding becomes a step of its own."""
    if padding == "valid":
        return x, (0, 0)
    if padding != "same":
        return x, pair(padding, (0, 0))
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if all(t % 2 == 0 for t in total):
        return x, (total[0] // 2, total[1] // 2)
    (top, left), (bottom, right) = [t // 2 for t in total], [t - t // 2 for t in total]
    shape = (x.shape[0], x.shape[1] + total[0], x.shape[2] + total[1])
    return b.add(ops.ZeroPad(left, right, top, bottom), (x,), shape, "pad"), (0, 0)


def _linear(b: Builder, a: Arguments) -> Operand:
    x = a["input"]
    require_rank(b, x, 2)
    weight = _constant(b, a["weight"], "the weight")
    assert weight is not None
    bias = _constant(b, a["bias"], "the bias")
    bias = torch.zeros(len(weight)) if bias is None else bias
    return b.add(ops.Dense(weight, bias), (x,), b.shape)


def _matmul(b: Builder, a: Arguments) -> Operand:
    x, other = (a["self"], a["other"] if "other" in a else a["mat2"])
    if not isinstance(x, Operand) or isinstance(other, Operand) or other.ndim != 2:
        raise b.refuse("only a product of [N, C] with a constant matrix has an integer operator")
    return _linear(b, {"input": x, "weight": other.T, "bias": None})


def _batch_norm(b: Builder, a: Arguments) -> Operand:
    mean, variance = a["running_mean"], a["running_var"]
    if mean is None or variance is None:
        raise b.refuse("has no running statistics", "train it with track_running_stats=True")
    scale = torch.rsqrt(variance.double() + float(a["eps"]))
    scale = scale if a["weight"] is None else scale * a["weight"].double()
    shift = -mean.double() * scale
    shift = shift if a["bias"] is None else shift + a["bias"].double()
    return b.add(ops.Affine(scale, shift), (a["input"],), b.shape)


def _relu(b: Builder, a: Arguments) -> Operand:
    return b.add(ops.Relu(), (a["self"],), b.shape)


def _relu6(b: Builder, a: Arguments) -> Operand:
    return b.add(ops.Relu6(), (a["self"],), b.shape)


def _clamp(b: Builder, a: Arguments) -> Operand:
    low = a.get("min_val", a.get("min"))
    high = a.get("max_val", a.get("max"))
    if low == 0 and high == 6:
        return _relu6(b, a)
    if low == 0 and high is None:
        return _relu(b, a)
    raise b.refuse(f"limits {low} and {high}", "use ReLU (0 and none) or ReLU6 (0 and 6)")


def _sigmoid(b: Builder, a: Arguments) -> Operand:
    return b.add(ops.Sigmoid(), (a["self"],), b.shape)


def _silu(b: Builder, a: Arguments) -> Operand:
    gate = b.add(ops.Sigmoid(), (a["self"],), b.shape, "gate")
    return b.add(ops.Multiply(), (a["self"], gate), b.shape)


def _softmax(b: Builder, a: Arguments) -> Operand:
    x = a["self"]
    require_rank(b, x, 2)
    if int(a["dim"]) % 2 != 1:
        raise b.refuse(f"dim {a['dim']}", "use dim=1, the classes")
    return b.add(ops.Softmax(), (x,), b.shape)


def _concatenate(b: Builder, a: Arguments) -> Operand:
    tensors = tuple(a["tensors"])
    if not all(isinstance(t, Operand) for t in tensors):
        raise b.refuse("a constant among the tensors")
    (dim,) = dimensions(a["dim"], len(b.shape) + 1)
    return tensors[0] if len(tensors) == 1 else b.add(ops.Concatenate(dim), tensors, b.shape)


def _max_pool(b: Builder, a: Arguments) -> Operand:
    x = a["self"]
    require_rank(b, x, 4)
    if pair(a["dilation"]) != (1, 1):
        raise b.refuse(f"dilation {a['dilation']}", "use dilation 1")
    kernel = pair(a["kernel_size"])
    stride, padding = pair(a["stride"], kernel), pair(a["padding"], (0, 0))
    return b.add(ops.MaxPool(kernel, stride, padding, ceil_mode=a["ceil_mode"]), (x,), b.shape)


def _average_pool(b: Builder, a: Arguments) -> Operand:
    x = a["self"]
    require_rank(b, x, 4)
    kernel = pair(a["kernel_size"])
    stride, padding = pair(a["stride"], kernel), pair(a["padding"], (0, 0))
    if a["divisor_override"] is not None:
        raise b.refuse("divisor_override", "leave it out")
    if kernel == x.shape[1:] and padding == (0, 0):
        return b.add(ops.Mean((2, 3), keep_dims=True), (x,), b.shape)
    if padding != (0, 0) and a["count_include_pad"]:
        if a["ceil_mode"]:
            raise b.refuse("ceil_mode with counted padding", "use count_include_pad=False")
        shape = (x.shape[0], x.shape[1] + 2 * padding[0], x.shape[2] + 2 * padding[1])
        pad = ops.ZeroPad(padding[1], padding[1], padding[0], padding[0])
        x, padding = b.add(pad, (x,), shape, "pad"), (0, 0)
    pool = ops.AveragePool(kernel, stride, padding, ceil_mode=a["ceil_mode"])
    return b.add(pool, (x,), b.shape)


def _adaptive_average_pool(b: Builder, a: Arguments) -> Operand:
    x = a["self"]
    require_rank(b, x, 4)
    size, area = pair(a["output_size"]), x.shape[1:]
    if size == (1, 1):
        return b.add(ops.Mean((2, 3), keep_dims=True), (x,), b.shape)
    if area[0] % size[0] or area[1] % size[1]:
        raise b.refuse(f"{area[0]}x{area[1]} to {size[0]}x{size[1]}", "sizes must divide evenly")
    kernel = (area[0] // size[0], area[1] // size[1])
    if kernel == (1, 1):
        return x
    return b.add(ops.AveragePool(kernel, kernel, (0, 0), ceil_mode=False), (x,), b.shape)


def _mean(b: Builder, a: Arguments) -> Operand:
    x = a["self"]
    rank = len(x.shape) + 1
    dims = dimensions(a.get("dim") or (), rank)
    if not dims or 0 in dims or rank != 4 or len(b.shape) not in (1, 3):
        raise b.refuse(
            f"dims {a.get('dim')} of a tensor with {rank} dimensions",
            "use mean((2, 3)) of [N, C, H, W], or keepdim=True",
        )
    return b.add(ops.Mean(dims, keep_dims=bool(a["keepdim"])), (x,), b.shape)


def _reshape(b: Builder, a: Arguments) -> Operand:
    x = a.get("self", a.get("input"))
    assert x is not None
    if b.shape == x.shape:
        return x
    if len(b.shape) not in (1, 3):
        raise b.refuse(
            f"a result with {len(b.shape) + 1} dimensions", "use [N, C, H, W] or [N, C] tensors"
        )
    return b.add(ops.Reshape(b.shape), (x,), b.shape)


def _pad(b: Builder, a: Arguments) -> Operand:
    x = a["self"]
    require_rank(b, x, 4)
    if a.get("mode", "constant") != "constant" or float(a.get("value") or 0.0) != 0.0:
        raise b.refuse("padding other than with zeros", "pad with constant 0")
    widths = [*(int(v) for v in a["pad"]), 0, 0, 0, 0]
    if any(widths[4:]) or min(widths) < 0:
        raise b.refuse(f"pads {list(a['pad'])}", "pad height and width only, and not negatively")
    left, right, top, bottom = widths[:4]
    return b.add(ops.ZeroPad(left, right, top, bottom), (x,), b.shape)


# What changes nothing in evaluation mode.
IDENTITIES = frozenset(
    {
        "alias",
        "clone",
        "contiguous",
        "detach",
        "dropout",
        "feature_dropout",
        "identity",
        "lift_fresh_copy",
        "to",
    }
)

CONVERSIONS: Mapping[str, Conversion] = {
    "adaptive_avg_pool2d": _adaptive_average_pool,
    "add": arithmetic.add,
    "avg_pool2d": _average_pool,
    "batch_norm": _batch_norm,
    "cat": _concatenate,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "concat": _concatenate,
    "constant_pad_nd": _pad,
    "conv2d": _convolution,
    "div": arithmetic.divide,
    "flatten": _reshape,
    "hardtanh": _clamp,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool2d": _max_pool,
    "mean": _mean,
    "mm": _matmul,
    "mul": arithmetic.multiply,
    "pad": _pad,
    "relu": _relu,
    "relu6": _relu6,
    "reshape": _reshape,
    "rsub": arithmetic.reverse_subtract,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "softmax": _softmax,
    "squeeze": _reshape,
    "sub": arithmetic.subtract,
    "unflatten": _reshape,
    "unsqueeze": _reshape,
    "view": _reshape,
}

SUPPORTED = tuple(sorted(set(CONVERSIONS) | {"dropout"}))
