"""The modules behind the cell specifications: NCHW, exportable, no control flow on data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from edgeflow.nets import specs
from edgeflow.nets.specs import Pair, ShapeHWC, same_padding


def convolution(
    shape: ShapeHWC,
    channels: int,
    kernel: Pair,
    stride: Pair,
    *,
    groups: int = 1,
    bias: bool = False,
) -> nn.Conv2d:
    """A "same"-padded convolution over `shape`, weights drawn as He et al. 2015."""
    padding = tuple(same_padding(shape[i], kernel[i], stride[i]) for i in (0, 1))
    layer = nn.Conv2d(
        shape[2], channels, kernel, stride, (padding[0], padding[1]), groups=groups, bias=bias
    )
    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class SqueezeExcite(nn.Module):
    """Channel gates from the global mean (Hu et al. 2018), reduction 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        return x * self.gate(self.expand(self.relu(self.reduce(self.pool(x)))))


class ConvolutionCell(nn.Module):
    """Module of `specs.Convolution`."""

    def __init__(self, spec: specs.Convolution, shape: ShapeHWC) -> None:
        super().__init__()
        self.conv = convolution(shape, spec.channels, spec.kernel, spec.stride)
        self.norm = nn.BatchNorm2d(spec.channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the specification's output shape."""
        return self.relu(self.norm(self.conv(x)))


class GroupedConvolutionCell(nn.Module):
    """Module of `specs.GroupedConvolution`."""

    def __init__(self, spec: specs.GroupedConvolution, shape: ShapeHWC) -> None:
        super().__init__()
        self.conv = convolution(shape, spec.channels, spec.kernel, spec.stride, groups=spec.groups)
        self.norm = nn.BatchNorm2d(spec.channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the specification's output shape."""
        return self.relu(self.norm(self.conv(x)))


class DepthwiseSeparableCell(nn.Module):
    """Module of `specs.DepthwiseSeparable`."""

    def __init__(self, spec: specs.DepthwiseSeparable, shape: ShapeHWC) -> None:
        super().__init__()
        inputs = shape[2]
        self.depthwise = convolution(shape, inputs, spec.kernel, spec.stride, groups=inputs)
        self.depthwise_norm = nn.BatchNorm2d(inputs)
        self.depthwise_relu = nn.ReLU()
        self.excite = SqueezeExcite(inputs) if spec.squeeze_excite else nn.Identity()
        inner = (*spec.output_shape(shape)[:2], inputs)
        self.pointwise = convolution(inner, spec.channels, (1, 1), (1, 1))
        self.pointwise_norm = nn.BatchNorm2d(spec.channels)
        self.pointwise_relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the specification's output shape."""
        x = self.excite(self.depthwise_relu(self.depthwise_norm(self.depthwise(x))))
        return self.pointwise_relu(self.pointwise_norm(self.pointwise(x)))


class InvertedResidualCell(nn.Module):
    """Module of `specs.InvertedResidual`."""

    def __init__(self, spec: specs.InvertedResidual, shape: ShapeHWC) -> None:
        super().__init__()
        hidden = spec.inner_channels or shape[2] * spec.expansion
        self.adds_input = spec.output_shape(shape) == shape
        self.expand: nn.Module = nn.Identity()
        if hidden != shape[2] or spec.expansion > 1:
            self.expand = nn.Sequential(
                convolution(shape, hidden, (1, 1), (1, 1)), nn.BatchNorm2d(hidden), nn.ReLU6()
            )
        inner = (*shape[:2], hidden)
        self.depthwise = nn.Sequential(
            convolution(inner, hidden, spec.kernel, spec.stride, groups=hidden),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
        )
        self.excite = SqueezeExcite(hidden) if spec.squeeze_excite else nn.Identity()
        self.project = nn.Sequential(
            convolution((*spec.output_shape(shape)[:2], hidden), spec.channels, (1, 1), (1, 1)),
            nn.BatchNorm2d(spec.channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the specification's output shape."""
        y = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + y if self.adds_input else y


class ResidualCell(nn.Module):
    """Module of `specs.Residual`."""

    def __init__(self, spec: specs.Residual, shape: ShapeHWC) -> None:
        super().__init__()
        output = spec.output_shape(shape)
        inner = spec.inner_channels or spec.channels
        self.first = convolution(shape, inner, spec.kernel, spec.stride)
        self.first_norm = nn.BatchNorm2d(inner)
        self.first_relu = nn.ReLU()
        self.second = convolution((*output[:2], inner), spec.channels, spec.kernel, (1, 1))
        self.second_norm = nn.BatchNorm2d(spec.channels)
        self.excite = SqueezeExcite(spec.channels) if spec.squeeze_excite else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if output != shape:
            self.shortcut = convolution(shape, spec.channels, (1, 1), spec.stride, bias=True)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the specification's output shape."""
        y = self.first_relu(self.first_norm(self.first(x)))
        y = self.excite(self.second_norm(self.second(y)))
        return self.relu(self.shortcut(x) + y)


class BottleneckCell(nn.Module):
    """Module of `specs.Bottleneck`."""

    def __init__(self, spec: specs.Bottleneck, shape: ShapeHWC) -> None:
        super().__init__()
        output, inner = spec.output_shape(shape), spec.inner_channels
        self.reduce = convolution(shape, inner, (1, 1), (1, 1))
        self.reduce_norm = nn.BatchNorm2d(inner)
        self.reduce_relu = nn.ReLU()
        self.middle = convolution((*shape[:2], inner), inner, spec.kernel, spec.stride)
        self.middle_norm = nn.BatchNorm2d(inner)
        self.middle_relu = nn.ReLU()
        self.expand = convolution((*output[:2], inner), spec.channels, (1, 1), (1, 1))
        self.expand_norm = nn.BatchNorm2d(spec.channels)
        self.shortcut: nn.Module = nn.Identity()
        if output != shape:
            self.shortcut = convolution(shape, spec.channels, (1, 1), spec.stride, bias=True)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the specification's output shape."""
        y = self.reduce_relu(self.reduce_norm(self.reduce(x)))
        y = self.middle_relu(self.middle_norm(self.middle(y)))
        return self.relu(self.shortcut(x) + self.expand_norm(self.expand(y)))


class DenseCell(nn.Module):
    """Module of `specs.Dense`; gives [N, units]."""

    def __init__(self, spec: specs.Dense, shape: ShapeHWC) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(shape[0] * shape[1] * shape[2], spec.units, bias=False)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_in", nonlinearity="relu")
        self.norm = nn.BatchNorm1d(spec.units)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] or [N, features] to [N, units]."""
        return self.relu(self.norm(self.linear(self.flatten(x))))


class LogitsCell(nn.Module):
    """Module of `specs.Logits`; gives [N, units]."""

    def __init__(self, spec: specs.Logits, shape: ShapeHWC) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(shape[0] * shape[1] * shape[2], spec.units)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] or [N, features] to [N, units]."""
        return self.linear(self.flatten(x))


CELLS: dict[type[specs.CellSpec], Callable[[Any, ShapeHWC], nn.Module]] = {
    specs.Convolution: ConvolutionCell,
    specs.GroupedConvolution: GroupedConvolutionCell,
    specs.DepthwiseSeparable: DepthwiseSeparableCell,
    specs.InvertedResidual: InvertedResidualCell,
    specs.Residual: ResidualCell,
    specs.Bottleneck: BottleneckCell,
    specs.MaxPool: lambda spec, _: nn.MaxPool2d(spec.kernel, spec.stride),
    specs.AveragePool: lambda spec, _: nn.AvgPool2d(spec.kernel, spec.stride),
    specs.GlobalAveragePool: lambda spec, _: nn.AdaptiveAvgPool2d(1),
    specs.Dense: DenseCell,
    specs.Logits: LogitsCell,
}


def build_cells(cells: tuple[specs.CellSpec, ...], shape: ShapeHWC, seed: int) -> nn.Sequential:
    """The cells in order, initial weights from `seed`; torch's global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modules = []
        for spec in cells:
            modules.append(CELLS[type(spec)](spec, shape))
            shape = spec.output_shape(shape)  # type: ignore[attr-defined]
    return nn.Sequential(*modules)
