"""Sums, products and constants: aten arithmetic to operators of step networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgeflow.quantize import operators as ops
from edgeflow.quantize.step_builder import Arguments, Builder, Operand


def _affine(b: Builder, x: Operand, scale: Any, shift: Any, part: str = "") -> Operand:
    """x * scale + shift for constants that are equal over each channel."""
    channels = x.shape[0]

    def over_channels(value: Any) -> Tensor:
        tensor = torch.as_tensor(value, dtype=torch.float64)
        rank = len(x.shape) + 1
        aligned = tensor.reshape(*[1] * (rank - tensor.ndim), *tensor.shape)
        varies = any(n != 1 for i, n in enumerate(aligned.shape) if i != 1)
        if varies or tensor.ndim > rank or aligned.shape[1] not in (1, channels):
            raise b.refuse(
                f"a constant of shape {tuple(tensor.shape)} with a tensor of shape "
                f"[N, {', '.join(map(str, x.shape))}]",
                "constants may vary along the channels only",
            )
        return aligned.reshape(-1).expand(channels)

    return b.add(ops.Affine(over_channels(scale), over_channels(shift)), (x,), b.shape, part)


def _two_operands(b: Builder, x: Operand, y: Operand) -> tuple[Operand, Operand]:
    small, large = sorted((x, y), key=lambda v: int(torch.tensor(v.shape).prod()))
    per_channel = (large.shape[0], *[1] * (len(large.shape) - 1))
    single = (1,) * len(large.shape)
    if large.shape != b.shape or small.shape not in (large.shape, per_channel, single):
        raise b.refuse(
            f"shapes [N, {', '.join(map(str, x.shape))}] and [N, {', '.join(map(str, y.shape))}]",
            "shapes must be equal, or one of them [N, C, 1, 1]",
        )
    return (x, y) if small.shape == large.shape else (large, small)


def add(b: Builder, a: Arguments, sign: float = 1.0) -> Operand:
    """aten.add, and with sign -1 aten.sub; constants become affine maps."""
    x, y = a["self"], a["other"]
    factor = sign * float(a.get("alpha", 1))
    if not isinstance(y, Operand):
        return _affine(b, x, 1.0, factor * torch.as_tensor(y, dtype=torch.float64))
    if not isinstance(x, Operand):
        return _affine(b, y, factor, x)
    if factor != 1.0:
        shape, b.shape = b.shape, y.shape
        y = _affine(b, y, factor, 0.0, "scaled")
        b.shape = shape
    return b.add(ops.Add(), _two_operands(b, x, y), b.shape)


def subtract(b: Builder, a: Arguments) -> Operand:
    """aten.sub."""
    return add(b, a, -1.0)


def reverse_subtract(b: Builder, a: Arguments) -> Operand:
    """aten.rsub: other - alpha * self."""
    x = _affine(b, a["self"], -float(a.get("alpha", 1)), 0.0, "negated")
    return add(b, {"self": x, "other": a["other"]})


def multiply(b: Builder, a: Arguments) -> Operand:
    """aten.mul."""
    x, y = a["self"], a["other"]
    if not isinstance(y, Operand):
        return _affine(b, x, y, 0.0)
    if not isinstance(x, Operand):
        return _affine(b, y, x, 0.0)
    return b.add(ops.Multiply(), _two_operands(b, x, y), b.shape)


def divide(b: Builder, a: Arguments) -> Operand:
    """aten.div by a constant."""
    x, y = a["self"], a["other"]
    if isinstance(y, Operand):
        raise b.refuse("division by a tensor that depends on the input")
    return _affine(b, x, 1.0 / torch.as_tensor(y, dtype=torch.float64), 0.0)
