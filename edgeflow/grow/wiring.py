"""Where a new channel starts, what it passes through, and which layers read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeflow.nets import specs
from edgeflow.nets.network import NetworkSpec


class Width(StrEnum):
    """Which of a cell's widths."""

    INNER = "inner"  # channels between the layers of a residual cell
    OUTPUT = "output"  # channels or units that the cell gives


@dataclass(frozen=True)
class Site:
    """A width that can grow: index of the cell, and which of its widths."""

    cell: int
    width: Width


def identity(x: Tensor) -> Tensor:
    """`x` as it is: the activation of a linear bottleneck."""
    return x


@dataclass(frozen=True)
class Consumer:
    """A convolution or linear layer that reads the grown width; paths of modules.

    `norm` is the batch normalization behind it, or None where the layer has a bias instead.
    """

    layer: str
    norm: str | None


@dataclass(frozen=True)
class Wiring:
    """A new channel: producer, its norm, activation, poolings, depthwise layer, consumers.

    Strings are paths of modules in the network; `poolings` are indices of cells. Channels do not
    mix between the producer and the consumers. A new channel's depthwise kernel picks the centre,
    so that it passes the channel on (each `stride`-th element).
    """

    producer: str
    producer_norm: str
    activation: Callable[[Tensor], Tensor]
    consumers: tuple[Consumer, ...]
    poolings: tuple[int, ...] = ()
    depthwise: str | None = None
    depthwise_norm: str | None = None
    depthwise_activation: Callable[[Tensor], Tensor] = identity


_POOLINGS = (specs.MaxPool, specs.AveragePool, specs.GlobalAveragePool)


def wiring(spec: NetworkSpec, site: Site) -> Wiring | None:
    """How a new channel of `site` is connected; None where that width cannot grow."""
    if site.width is Width.INNER:
        return _inner(spec, site.cell)
    return _output(spec, site.cell)


def _inner(spec: NetworkSpec, index: int) -> Wiring | None:
    cell, at = spec.cells[index], f"{index}."
    if isinstance(cell, specs.Residual):
        second = Consumer(at + "second", at + "second_norm")
        return Wiring(at + "first", at + "first_norm", torch.relu, (second,))
    if isinstance(cell, specs.InvertedResidual):
        inputs = spec.shapes()[index][2]
        if not _expands_when_grown(cell, inputs, Width.INNER) or cell.squeeze_excite:
            return None
        return Wiring(
            at + "expand.0",
            at + "expand.1",
            functional.relu6,
            (Consumer(at + "project.0", at + "project.1"),),
            depthwise=at + "depthwise.0",
            depthwise_norm=at + "depthwise.1",
            depthwise_activation=functional.relu6,
        )
    return None


def inner_channels(cell: specs.InvertedResidual, inputs: int) -> int:
    """Channels of the depthwise convolution over `inputs` channels."""
    return cell.inner_channels or inputs * cell.expansion


def _expands_when_grown(cell: specs.InvertedResidual, inputs: int, width: Width) -> bool:
    """Whether the cell has its first 1x1 convolution, and has it however far one width grows.

    At `expansion` 1 there is none where inputs and inner channels are as many.
    """
    inner = inner_channels(cell, inputs)
    apart = inner > inputs if width is Width.INNER else inputs > inner
    return cell.expansion > 1 or apart


def _producer(spec: NetworkSpec, index: int) -> tuple[str, str, Callable[[Tensor], Tensor]] | None:
    cell, at, shapes = spec.cells[index], f"{index}.", spec.shapes()
    if isinstance(cell, specs.Convolution):
        return at + "conv", at + "norm", torch.relu
    if isinstance(cell, specs.Dense):
        return at + "linear", at + "norm", torch.relu
    if isinstance(cell, specs.DepthwiseSeparable):
        return at + "pointwise", at + "pointwise_norm", torch.relu
    if isinstance(cell, specs.InvertedResidual) and shapes[index] != shapes[index + 1]:
        return at + "project.0", at + "project.1", identity
    return None


def _output(spec: NetworkSpec, index: int) -> Wiring | None:
    producer = _producer(spec, index)
    if producer is None:
        return None
    after = index + 1
    while isinstance(spec.cells[after], _POOLINGS):
        after += 1
    poolings = tuple(range(index + 1, after))
    if _becomes_or_is_sum(spec, index) or _becomes_or_is_sum(spec, after):
        return None
    cell, at = spec.cells[after], f"{after}."
    if isinstance(cell, specs.DepthwiseSeparable) and not cell.squeeze_excite:
        return Wiring(
            *producer,
            (Consumer(at + "pointwise", at + "pointwise_norm"),),
            poolings,
            at + "depthwise",
            at + "depthwise_norm",
            torch.relu,
        )
    consumers = _consumers(cell, spec.shapes()[after][2], at)
    return Wiring(*producer, consumers, poolings) if consumers else None


def _consumers(cell: specs.CellSpec, inputs: int, at: str) -> tuple[Consumer, ...]:
    if isinstance(cell, specs.Convolution):
        return (Consumer(at + "conv", at + "norm"),)
    if isinstance(cell, specs.Dense):
        return (Consumer(at + "linear", at + "norm"),)
    if isinstance(cell, specs.Logits):
        return (Consumer(at + "linear", None),)
    if isinstance(cell, specs.Residual):
        return Consumer(at + "first", at + "first_norm"), Consumer(at + "shortcut", None)
    if isinstance(cell, specs.InvertedResidual):
        if not _expands_when_grown(cell, inputs, Width.OUTPUT):
            return ()
        return (Consumer(at + "expand.0", at + "expand.1"),)
    return ()


def _becomes_or_is_sum(spec: NetworkSpec, index: int) -> bool:
    """Whether a residual cell adds its input, or would at some number of channels on one side.

    An input that gets wider than the output, or an output that gets wider than the input, only
    moves away; the other direction would meet, and the cell's form change.
    """
    cell = spec.cells[index]
    if not isinstance(cell, specs.Residual | specs.InvertedResidual):
        return False
    return spec.shapes()[index][:2] == spec.shapes()[index + 1][:2]


def carried(network: nn.Module, wires: Wiring, channels: Tensor) -> Tensor:
    """New channels [N, K, H, W] behind poolings and depthwise kernel: [N, K, H', W'].

    `depthwise_activation` of that is what the consumers read; a linear layer behind reads all
    K x H' x W' of them.
    """
    for index in wires.poolings:
        channels = network.get_submodule(str(index))(channels)
    return channels if wires.depthwise is None else _every(network, wires.depthwise, channels)


def carried_linearly(network: nn.Module, wires: Wiring, channels: Tensor) -> Tensor:
    """Like `carried`; the mean stands in for the maximum of a pooling."""
    for index in wires.poolings:
        pooling = network.get_submodule(str(index))
        if isinstance(pooling, nn.MaxPool2d):
            channels = functional.avg_pool2d(channels, pooling.kernel_size, pooling.stride)
        else:
            channels = pooling(channels)
    return channels if wires.depthwise is None else _every(network, wires.depthwise, channels)


def _every(network: nn.Module, depthwise: str, channels: Tensor) -> Tensor:
    layer = network.get_submodule(depthwise)
    assert isinstance(layer, nn.Conv2d)
    return channels[:, :, :: layer.stride[0], :: layer.stride[1]]
