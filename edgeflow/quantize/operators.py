"""The operators of a step network: one torch function each, in NCHW, batch size free.

One function each, because NNCF names the place of a quantizer by module and function call.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolution(nn.Module):
    """Convolution with zero padding; `groups` divide the channels of input and output.

    weight [out, in / groups, kernel_h, kernel_w], bias [out]; stride, padding, dilation are (h, w).
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.weight_quantizer: nn.Module = nn.Identity()

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel of several is a group of its own."""
        return self.groups > 1 and self.weight.shape[1] == 1

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] to [N, out, H', W']."""
        weight = self.weight_quantizer(self.weight)
        return functional.conv2d(
            x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class Dense(nn.Module):
    """Fully connected: weight [out, in], bias [out]."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        self.weight_quantizer: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, in] to [N, out]."""
        return functional.linear(x, self.weight_quantizer(self.weight), self.bias)


class Affine(nn.Module):
    """x * scale + shift along dimension 1; both [C]. Exists only until it is folded away."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale.detach().clone())
        self.register_buffer("shift", shift.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        shape = (1, -1, *[1] * (x.ndim - 2))
        return x * self.get_buffer("scale").view(shape) + self.get_buffer("shift").view(shape)


class Relu(nn.Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        return torch.relu(x)


class Relu6(nn.Module):
    """min(max(x, 0), 6)."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        return functional.hardtanh(x, 0.0, 6.0)


class Sigmoid(nn.Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        return torch.sigmoid(x)


class Softmax(nn.Module):
    """Softmax over dimension 1 of a [N, C] tensor."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        return torch.softmax(x, 1)


class Add(nn.Module):
    """Sum of two tensors."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Broadcasts as torch does."""
        return torch.add(x, y)


class Multiply(nn.Module):
    """Product of two tensors."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Broadcasts as torch does."""
        return torch.mul(x, y)


class Concatenate(nn.Module):
    """Tensors side by side along dimension `dim` (never the batch)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *tensors: Tensor) -> Tensor:
        """All other dimensions are equal."""
        return torch.cat(tensors, self.dim)


class AveragePool(nn.Module):
    """Mean over windows; padding does not count. All attributes are (h, w)."""

    def __init__(
        self,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        *,
        ceil_mode: bool,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, H', W']."""
        return functional.avg_pool2d(
            x, self.kernel, self.stride, self.padding, self.ceil_mode, count_include_pad=False
        )


class MaxPool(nn.Module):
    """Largest value of windows. All attributes are (h, w)."""

    def __init__(
        self,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        *,
        ceil_mode: bool,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, H', W']."""
        return functional.max_pool2d(
            x, self.kernel, self.stride, self.padding, ceil_mode=self.ceil_mode
        )


class Mean(nn.Module):
    """Mean over `dims` (NCHW numbering, batch excluded)."""

    def __init__(self, dims: tuple[int, ...], *, keep_dims: bool) -> None:
        super().__init__()
        self.dims = dims
        self.keep_dims = keep_dims

    def forward(self, x: Tensor) -> Tensor:
        """Without `dims`, or with 1 there."""
        return x.mean(self.dims, keepdim=self.keep_dims)


class Reshape(nn.Module):
    """Same elements in another shape; `shape` excludes the batch."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """[N, *shape]."""
        return x.reshape(-1, *self.shape)


class ZeroPad(nn.Module):
    """Zeros around height and width."""

    def __init__(self, left: int, right: int, top: int, bottom: int) -> None:
        super().__init__()
        self.left = left
        self.right = right
        self.top = top
        self.bottom = bottom

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, H', W']."""
        return functional.pad(x, (self.left, self.right, self.top, self.bottom))


class Requantize(nn.Module):
    """Same values on another integer grid; the identity as long as nothing is quantized."""

    def forward(self, x: Tensor) -> Tensor:
        """`x` itself, a new tensor."""
        return x.reshape(x.shape)
