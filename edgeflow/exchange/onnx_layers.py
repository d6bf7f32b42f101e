"""Torch modules for ONNX operators that torch.nn has none for; the batch is free."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Sum(nn.Module):
    """Elementwise sum of two tensors."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Broadcasts as torch does."""
        return a + b


class Product(nn.Module):
    """Elementwise product of two tensors."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Broadcasts as torch does."""
        return a * b


class SumWithConstant(nn.Module):
    """Sum with a constant of the file, which can be trained further."""

    def __init__(self, constant: Tensor) -> None:
        super().__init__()
        self.constant = nn.Parameter(constant)

    def forward(self, x: Tensor) -> Tensor:
        """Broadcasts as torch does."""
        return x + self.constant


class ProductWithConstant(nn.Module):
    """Product with a constant of the file, which can be trained further."""

    def __init__(self, constant: Tensor) -> None:
        super().__init__()
        self.constant = nn.Parameter(constant)

    def forward(self, x: Tensor) -> Tensor:
        """Broadcasts as torch does."""
        return x * self.constant


class Mean(nn.Module):
    """Mean over dimensions, the batch excluded."""

    def __init__(self, axes: tuple[int, ...], keep_dims: bool) -> None:
        super().__init__()
        self.axes = axes
        self.keep_dims = keep_dims

    def forward(self, x: Tensor) -> Tensor:
        """Without `axes`, or with 1 there."""
        return x.mean(self.axes, keepdim=self.keep_dims)


class Reshape(nn.Module):
    """Same elements in another shape; `shape` excludes the batch."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """[N, *shape]."""
        return x.reshape(-1, *self.shape)


class Permute(nn.Module):
    """Dimensions in another order."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """Dimension i of the result is dimension `order[i]` of `x`."""
        return x.permute(self.order)


class ConstantPad(nn.Module):
    """A constant around the tensor; `pads` as torch.nn.functional.pad takes them."""

    def __init__(self, pads: tuple[int, ...], value: float) -> None:
        super().__init__()
        self.pads = pads
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        """Larger by `pads`."""
        return functional.pad(x, self.pads, value=self.value)


class Join(nn.Module):
    """Tensors side by side along a dimension."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *tensors: Tensor) -> Tensor:
        """All other dimensions are equal."""
        return torch.cat(tensors, self.axis)
