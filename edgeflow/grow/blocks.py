"""Networks cut into blocks, and linear maps between the blocks of a thin one and of a wider twin.

Of "Go Wide, Then Narrow: Efficient Training of Deep Thin Networks" (Zhou et al., ICML 2020, arXiv
2007.00811): between two adjacent blocks S_i and S_i+1 of the thin network stands a pair of linear
maps, `leave` from thin to wide behind S_i and `enter` from wide to thin before S_i+1, so that
outputs can be compared with the wide twin's; both merge into S_i+1 afterwards.

A block is a cell with weights and the poolings behind it. The maps are 1x1 convolutions without
bias, so that the zeros of a padding stay zeros. They merge where the next block reads its input by
full convolutions or linear layers alone: W' = W (enter leave). A depthwise convolution and an added
input do not mix channels; before such a block there is no `enter`, the block takes the thin
output as it is, and `leave` only serves the comparison.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

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
    MaxPool,
    Residual,
)

_POOLS = (MaxPool, AveragePool, GlobalAveragePool)


def widened(spec: NetworkSpec, factor: int) -> NetworkSpec:
    """The twin with `factor` times the channels and units in every cell; outputs stay."""
    return NetworkSpec(
        name=f"{spec.name}, {factor} times as wide",
        input_shape=spec.input_shape,
        cells=tuple(_wider(cell, factor) for cell in spec.cells),
    )


def _wider(cell: AnyCell, factor: int) -> AnyCell:
    if isinstance(cell, Dense):
        return cell.model_copy(update={"units": factor * cell.units})
    if isinstance(cell, Convolution | GroupedConvolution | DepthwiseSeparable):
        return cell.model_copy(update={"channels": factor * cell.channels})
    if isinstance(cell, Residual | InvertedResidual | Bottleneck):
        inner = None if cell.inner_channels is None else factor * cell.inner_channels
        update = {"channels": factor * cell.channels, "inner_channels": inner}
        return cell.model_copy(update=update)
    return cell


def ends_of_blocks(spec: NetworkSpec) -> tuple[int, ...]:
    """Index behind the last cell of each block; poolings before all weights belong to the first."""
    weighted = [i for i, cell in enumerate(spec.cells) if not isinstance(cell, _POOLS)]
    return (*weighted[1:], len(spec.cells))


def in_blocks(spec: NetworkSpec, network: nn.Module) -> nn.ModuleList:
    """The cells of `network`, which is of `spec`, as one nn.Sequential for each block."""
    modules, ends = list(network.children()), ends_of_blocks(spec)
    starts = (0, *ends[:-1])
    return nn.ModuleList(
        nn.Sequential(*modules[start:end]) for start, end in zip(starts, ends, strict=True)
    )


class ChannelMap(nn.Module):
    """A matrix [outputs, inputs] over the channels of [N, inputs, ...]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.normal_(self.weight, std=inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, ...] to [N, outputs, ...]."""
        return torch.einsum("oi,ni...->no...", self.weight, x)


class AdaptedNetwork(nn.Module):
    """A thin network with linear maps between its blocks.

    `leaves[i]` stands behind block i (not behind the last, whose outputs are of one size already),
    `enters[i]` before block i, or nn.Identity where no map can be merged into that block.
    """

    def __init__(self, spec: NetworkSpec, thin: nn.Module, wide_spec: NetworkSpec) -> None:
        super().__init__()
        channels, wide_channels = ([s[2] for s in net.shapes()] for net in (spec, wide_spec))
        self.blocks = in_blocks(spec, copy.deepcopy(thin))
        self.leaves = nn.ModuleList(
            ChannelMap(channels[end], wide_channels[end]) for end in ends_of_blocks(spec)[:-1]
        )
        self.enters = nn.ModuleList(self._enter(i) for i in range(len(self.blocks)))

    def _enter(self, index: int) -> nn.Module:
        if index == 0 or not readers(self.blocks[index]):
            return nn.Identity()
        return ChannelMap(*self.leave(index - 1).weight.shape)

    def leave(self, index: int) -> ChannelMap:
        """The map behind block `index`."""
        found = self.leaves[index]
        assert isinstance(found, ChannelMap)
        return found

    def enter(self, index: int) -> ChannelMap:
        """The map before block `index`, where there is one."""
        found = self.enters[index]
        assert isinstance(found, ChannelMap)
        return found

    def is_entered(self, index: int) -> bool:
        """Whether a map stands before that block."""
        return isinstance(self.enters[index], ChannelMap)

    def between(self, index: int, thin: Tensor) -> Tensor:
        """What block `index` takes, from what the block before it gives."""
        return self.enters[index](self.leaves[index - 1](thin)) if self.is_entered(index) else thin

    def before(self, index: int, x: Tensor) -> Tensor:
        """What block `index - 1` gives for samples `x` (`x` itself for block 0)."""
        for i in range(index):
            x = self.blocks[i](x if i == 0 else self.between(i, x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, outputs]."""
        return self.before(len(self.blocks), x)

    def start_between(self, index: int) -> None:
        """Let `enters[index]` undo the map before it, so that the block takes the thin output."""
        with torch.no_grad():
            inverse = torch.linalg.pinv(self.leave(index - 1).weight)
            self.enter(index).weight.copy_(inverse)

    def merged(self) -> nn.Sequential:
        """The thin network that computes the same: no maps, the same cells."""
        blocks = copy.deepcopy(self.blocks)
        for index in range(1, len(blocks)):
            if self.is_entered(index):
                matrix = self.enter(index).weight @ self.leave(index - 1).weight
                for layer in readers(blocks[index]):
                    _merge(layer, matrix.detach())
        return nn.Sequential(*(cell for block in blocks for cell in block.children()))


def _merge(layer: nn.Conv2d | nn.Linear, matrix: Tensor) -> None:
    """Let `layer` compute what it did behind `matrix` [inputs, inputs] over its channels."""
    weight = layer.weight.detach()
    by_channel = weight.reshape(len(weight), len(matrix), -1)
    merged = torch.einsum("ocp,cd->odp", by_channel, matrix)
    with torch.no_grad():
        layer.weight.copy_(merged.reshape(weight.shape))


def readers(block: nn.Module) -> tuple[nn.Conv2d | nn.Linear, ...]:
    """The layers into which a linear map before `block` merges; none where it does not."""
    first = next(block.children())
    return _READERS[type(first)](first) if type(first) in _READERS else ()


def _of_residual(cell: cells.ResidualCell) -> tuple[nn.Conv2d, ...]:
    return (cell.first, cell.shortcut) if isinstance(cell.shortcut, nn.Conv2d) else ()


def _of_bottleneck(cell: cells.BottleneckCell) -> tuple[nn.Conv2d, ...]:
    return (cell.reduce, cell.shortcut) if isinstance(cell.shortcut, nn.Conv2d) else ()


def _of_inverted_residual(cell: cells.InvertedResidualCell) -> tuple[nn.Conv2d, ...]:
    if cell.adds_input or not isinstance(cell.expand, nn.Sequential):
        return ()
    layer = cell.expand[0]
    assert isinstance(layer, nn.Conv2d)
    return (layer,)


_READERS: dict[type[nn.Module], Callable[..., tuple[nn.Conv2d | nn.Linear, ...]]] = {
    cells.ConvolutionCell: lambda cell: (cell.conv,),
    cells.DenseCell: lambda cell: (cell.linear,),
    cells.LogitsCell: lambda cell: (cell.linear,),
    cells.ResidualCell: _of_residual,
    cells.BottleneckCell: _of_bottleneck,
    cells.InvertedResidualCell: _of_inverted_residual,
}
