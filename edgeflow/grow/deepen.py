"""Cells inserted into a trained network without changing what it computes.

"Growing with Experience: Growing Neural Networks in Deep Reinforcement Learning" (GrowNN; Fehring,
Lindauer, Eimer 2025, arXiv 2506.11706), whose layers are those of Net2DeeperNet (Chen, Goodfellow,
Shlens, "Net2Net", arXiv 1511.05641, section 2.3): a new layer f with f(f_old(x)) = f_old(x).

- Convolution, Dense, DepthwiseSeparable: weights are the identity (the Dirac kernel), so that
  relu(x) = x is left where x >= 0. Batch normalization, y = gamma (x - m) / sqrt(v + eps) + beta,
  is undone by its own affine part: gamma = sqrt(v + eps), beta = m, with m and v measured on a
  batch. In evaluation mode that is the identity; in training mode, where m and v are those of each
  batch, it nearly is.
- Residual and Bottleneck: y = relu(x + gamma (...) + beta) with the last gamma = beta = 0 is x
  where x >= 0.
- InvertedResidual that adds its input: y = x + gamma (...) + beta is x for every x. Its ReLU6 clips
  inside the branch alone.

In the identities every new parameter has a gradient from the first step on. In the residual cells
the first step moves the last scale and shift alone: what lies before a scale of zero has no
gradient until the scale has left zero, which the first step does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeflow.errors import ModelError
from edgeflow.nets import cells
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import (
    AnyCell,
    AveragePool,
    Bottleneck,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    GroupedConvolution,
    InvertedResidual,
    Logits,
    MaxPool,
    Residual,
    ShapeHWC,
)

_RECTIFIED = (Convolution, GroupedConvolution, DepthwiseSeparable, Residual, Bottleneck, Dense)
_POOLS = (MaxPool, AveragePool, GlobalAveragePool)
_SIGNIFICANT_BITS = 12


@dataclass(frozen=True)
class Insertion:
    """`cell` becomes the network's cell number `position`, what was there moves one further."""

    position: int
    cell: AnyCell


def insertions(spec: NetworkSpec) -> tuple[Insertion, ...]:
    """Every cell that can be inserted without a change of the function, by position.

    Kernels are 3 wide along each side that is longer than 1; channels are those of the stream.
    """
    return tuple(
        Insertion(position, cell)
        for position in range(1, len(spec.cells))
        for cell in _candidates(spec, position)
    )


def insert(
    spec: NetworkSpec, network: nn.Module, insertion: Insertion, x: Tensor, seed: int = 0
) -> tuple[NetworkSpec, nn.Module]:
    """The network with one more cell, and its specification; `network` stays as it is.

    `x` [N, C, H, W] is a batch of prepared samples, from which the new cell takes the statistics of
    its batch normalizations. `seed` sets the weights inside residual cells. Outputs in evaluation
    mode are those of `network`. Raises ModelError where the cell would change the function.
    """
    _check(spec, insertion)
    position, shape = insertion.position, spec.shapes()[insertion.position]
    cell = cells.build_cells((insertion.cell,), shape, seed)[0]
    modules = list(copy.deepcopy(network).children())
    with torch.no_grad():
        stream = nn.Sequential(*modules[:position]).eval()(x)
        _TO_IDENTITY[type(insertion.cell)](cell, stream)
    modules.insert(position, cell)
    deeper = (*spec.cells[:position], insertion.cell, *spec.cells[position:])
    return (
        NetworkSpec(name=spec.name, input_shape=spec.input_shape, cells=deeper),
        nn.Sequential(*modules).train(network.training),
    )


def _candidates(spec: NetworkSpec, position: int) -> Iterator[AnyCell]:
    shape = spec.shapes()[position]
    height, width, channels = shape
    if height == width == 1:
        if _is_rectified(spec, position) and isinstance(spec.cells[position], Dense | Logits):
            yield Dense(units=channels)
        return
    kernel = (3 if height > 1 else 1, 3 if width > 1 else 1)
    if _is_rectified(spec, position):
        yield Convolution(channels=channels, kernel=kernel)
        yield DepthwiseSeparable(channels=channels, kernel=kernel)
        yield Residual(channels=channels, kernel=kernel)
    yield InvertedResidual(channels=channels, kernel=kernel)


def _is_rectified(spec: NetworkSpec, position: int) -> bool:
    """Whether what reaches `position` is a ReLU's output, perhaps pooled: never below zero."""
    before = position - 1
    while before >= 0 and isinstance(spec.cells[before], _POOLS):
        before -= 1
    return before >= 0 and isinstance(spec.cells[before], _RECTIFIED)


def _check(spec: NetworkSpec, insertion: Insertion) -> None:
    position, cell = insertion.position, insertion.cell
    reason = _reason_against(spec, position, cell)
    if reason:
        raise ModelError(
            f"a cell {cell.kind} before cell {position} of {spec.name} {reason}",
            hint="insertions(spec) lists what can be inserted where",
        )


def _reason_against(spec: NetworkSpec, position: int, cell: AnyCell) -> str:
    if not 1 <= position < len(spec.cells):
        return f"is outside of the positions 1 to {len(spec.cells) - 1}"
    if type(cell) not in _TO_IDENTITY:
        return "has no weights with which it passes its input on"
    shape = spec.shapes()[position]
    if not _keeps_shape(cell, shape):
        return f"does not keep the shape {list(shape)} (height, width, channels)"
    if isinstance(cell, _RECTIFIED) and not _is_rectified(spec, position):
        return "would clip what is below zero"
    if isinstance(cell, DepthwiseSeparable) and cell.squeeze_excite:
        return "has gates, which change what passes"
    if isinstance(cell, Dense) != _is_flat(spec, position):
        return "meets values of another rank"
    return ""


def _keeps_shape(cell: AnyCell, shape: ShapeHWC) -> bool:
    try:
        return cell.output_shape(shape) == shape
    except ModelError:
        return False


def _is_flat(spec: NetworkSpec, position: int) -> bool:
    """Whether a dense cell fits there: one position, and what follows takes vectors."""
    one_position = spec.shapes()[position][:2] == (1, 1)
    return one_position and isinstance(spec.cells[position], Dense | Logits)


def _undo(norm: nn.BatchNorm2d | nn.BatchNorm1d, stream: Tensor) -> None:
    """Statistics of `stream` [N, C, ...], and the scale and shift that undo them.

    The deviation is rounded up to a value s with s * (1 / s) = 1 in float32 and a square that
    float32 holds exactly, so that evaluation mode is the identity bit for bit, however far from
    zero the values lie.
    """
    variance, mean = torch.var_mean(
        stream, dim=[d for d in range(stream.ndim) if d != 1], correction=0
    )
    mantissa, exponent = torch.frexp(torch.sqrt(variance + norm.eps))
    steps = torch.ceil(mantissa * 2.0**_SIGNIFICANT_BITS)
    deviation = torch.ldexp(steps, exponent - _SIGNIFICANT_BITS)
    while (inexact := deviation * deviation.reciprocal() != 1).any():
        steps = steps + inexact
        deviation = torch.ldexp(steps, exponent - _SIGNIFICANT_BITS)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(deviation.square() - norm.eps)
    norm.weight.copy_(deviation)
    norm.bias.copy_(mean)


def _measure(branch: nn.Module, stream: Tensor) -> None:
    """Give the batch normalizations in `branch` the statistics that `stream` has there."""
    norms = [module for module in branch.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    branch.train()(stream)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _convolution_to_identity(cell: nn.Module, stream: Tensor) -> None:
    assert isinstance(cell, cells.ConvolutionCell)
    nn.init.dirac_(cell.conv.weight)
    _undo(cell.norm, stream)


def _dense_to_identity(cell: nn.Module, stream: Tensor) -> None:
    assert isinstance(cell, cells.DenseCell)
    nn.init.eye_(cell.linear.weight)
    _undo(cell.norm, stream.flatten(1))


def _separable_to_identity(cell: nn.Module, stream: Tensor) -> None:
    assert isinstance(cell, cells.DepthwiseSeparableCell)
    nn.init.dirac_(cell.depthwise.weight, groups=cell.depthwise.groups)
    _undo(cell.depthwise_norm, stream)
    nn.init.dirac_(cell.pointwise.weight)
    _undo(cell.pointwise_norm, stream)


def _residual_to_identity(cell: nn.Module, stream: Tensor) -> None:
    assert isinstance(cell, cells.ResidualCell)
    nn.init.zeros_(cell.second_norm.weight)
    _measure(cell, stream)


def _bottleneck_to_identity(cell: nn.Module, stream: Tensor) -> None:
    assert isinstance(cell, cells.BottleneckCell)
    nn.init.zeros_(cell.expand_norm.weight)
    _measure(cell, stream)


def _inverted_residual_to_identity(cell: nn.Module, stream: Tensor) -> None:
    assert isinstance(cell, cells.InvertedResidualCell)
    norm = cell.project[1]
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.zeros_(norm.weight)
    _measure(cell, stream)


_TO_IDENTITY = {
    Convolution: _convolution_to_identity,
    Dense: _dense_to_identity,
    DepthwiseSeparable: _separable_to_identity,
    Residual: _residual_to_identity,
    Bottleneck: _bottleneck_to_identity,
    InvertedResidual: _inverted_residual_to_identity,
}
