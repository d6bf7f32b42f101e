"""Pruning of whole channels (Li, Kadav, Durdanovic, Samet, Graf 2017, arXiv 1608.08710).

A filter's importance is the norm of its weights, here after batch normalization is folded in:

    s_c = ||w_c||_2 |gamma_c| / sqrt(var_c + eps)

At each place where channels can go without changing anything else, the least important are taken
out, with their filters, their normalization and what the next cell does with them. What is left is
a smaller NetworkSpec and its module: fewer bytes and instructions on a microcontroller.

Channels can go inside Residual, InvertedResidual and Bottleneck cells (`inner_channels`), and
between two cells where neither adds its input to its output or convolves in groups. Channels that
squeeze-and-excitation gates see stay. Inside a Bottleneck each channel goes from both convolutions
that have it, and its importance is the sum of the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn

from edgeflow.nets.network import NetworkSpec, build
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
    ShapeHWC,
)
from edgeflow.train.cell_channels import (
    Channels,
    cut_state,
    explicit,
    has_expansion,
    with_inner,
    with_outputs,
)


class Place(StrEnum):
    """Where in a cell channels can be taken out."""

    INNER = "inner"
    OUTPUTS = "outputs"


Kept = Mapping[tuple[int, Place], Tensor]


@dataclass(frozen=True)
class _Filters:
    """Names in a cell's state: the weights [channels, ...] of a place, and their normalization."""

    weight: str
    norm: str


_FILTERS: Mapping[tuple[type, Place], tuple[_Filters, ...]] = {
    (Convolution, Place.OUTPUTS): (_Filters("conv.weight", "norm"),),
    (DepthwiseSeparable, Place.OUTPUTS): (_Filters("pointwise.weight", "pointwise_norm"),),
    (Dense, Place.OUTPUTS): (_Filters("linear.weight", "norm"),),
    (Residual, Place.INNER): (_Filters("first.weight", "first_norm"),),
    (Residual, Place.OUTPUTS): (_Filters("second.weight", "second_norm"),),
    (InvertedResidual, Place.INNER): (_Filters("expand.0.weight", "expand.1"),),
    (InvertedResidual, Place.OUTPUTS): (_Filters("project.0.weight", "project.1"),),
    (Bottleneck, Place.INNER): (
        _Filters("reduce.weight", "reduce_norm"),
        _Filters("middle.weight", "middle_norm"),
    ),
    (Bottleneck, Place.OUTPUTS): (_Filters("expand.weight", "expand_norm"),),
}
_POOLS = (MaxPool, AveragePool, GlobalAveragePool)
_EPSILON = 1e-5  # of torch's batch normalization


def least_important_go(spec: NetworkSpec, network: nn.Sequential, sparsity: float) -> Kept:
    """The channels that stay (sorted) where a fraction `sparsity` of each place's channels goes.

    One channel stays at least, and one more where a cell would otherwise begin to add its input.
    """
    kept: dict[tuple[int, Place], Tensor] = {}
    for index, place in places(spec):
        filters = _FILTERS[type(spec.cells[index]), place]
        importance = _importance(network[index].state_dict(), filters)
        stay = max(1, math.ceil((1.0 - sparsity) * len(importance) - 1e-9))
        found = importance.topk(stay).indices.sort().values
        while stay < len(importance) and _structure(
            _cut(spec, {**kept, (index, place): found})
        ) != (_structure(_cut(spec, kept))):
            stay += 1
            found = importance.topk(stay).indices.sort().values
        kept[index, place] = found
    return kept


def narrow(
    spec: NetworkSpec, network: nn.Sequential, kept: Kept
) -> tuple[NetworkSpec, nn.Sequential]:
    """Specification and module with the channels that stay; `network` holds weights of `spec`."""
    states: dict[str, Tensor] = {}
    inputs, shapes = torch.arange(spec.input_shape[2]), spec.shapes()
    for index, cell in enumerate(spec.cells):
        full = explicit(cell, shapes[index])
        all_inner = torch.arange(getattr(full, "inner_channels", None) or 0)
        unchanged = inputs if isinstance(cell, _POOLS) else torch.arange(shapes[index + 1][2])
        stay = Channels(
            inputs=inputs,
            inner=kept.get((index, Place.INNER), all_inner),
            outputs=kept.get((index, Place.OUTPUTS), unchanged),
        )
        state = cut_state(cell, shapes[index], network[index].state_dict(), stay)
        states |= {f"{index}.{name}": value for name, value in state.items()}
        inputs = stay.outputs
    smaller = _cut(spec, kept)
    module = build(smaller, 0)
    module.load_state_dict(states)
    assert isinstance(module, nn.Sequential)
    return smaller, module.train(network.training)


def most_important(cell: AnyCell, place: Place, state: Mapping[str, Tensor], count: int) -> Tensor:
    """The `count` channels at a place of a cell that matter most, sorted; `state` is the cell's."""
    importance = _importance(state, _FILTERS[type(cell), place])
    return importance.topk(count).indices.sort().values


def places(spec: NetworkSpec) -> list[tuple[int, Place]]:
    """Cells and places where fewer channels leave every other place as it is, in order."""
    shapes = spec.shapes()
    return [
        (index, place)
        for index, cell in enumerate(spec.cells)
        for place in Place
        if (type(cell), place) in _FILTERS and _IS_FREE[place](spec, shapes, index)
    ]


def _inner_is_free(spec: NetworkSpec, shapes: tuple[ShapeHWC, ...], index: int) -> bool:
    cell = spec.cells[index]
    if isinstance(cell, InvertedResidual):
        return has_expansion(cell, shapes[index]) and not cell.squeeze_excite
    return True


def _outputs_are_free(spec: NetworkSpec, shapes: tuple[ShapeHWC, ...], index: int) -> bool:
    cell = spec.cells[index]
    if _adds_input(cell, shapes[index]) or (isinstance(cell, Residual) and cell.squeeze_excite):
        return False
    after = next(
        i for i in range(index + 1, len(spec.cells)) if not isinstance(spec.cells[i], _POOLS)
    )
    following = spec.cells[after]
    if _adds_input(following, shapes[after]) or isinstance(following, GroupedConvolution):
        return False
    # Both cells below run a depthwise convolution over their input, and the gates after it.
    gated = isinstance(following, DepthwiseSeparable) or (
        isinstance(following, InvertedResidual) and not has_expansion(following, shapes[after])
    )
    return not (gated and getattr(following, "squeeze_excite", False))


_IS_FREE = {Place.INNER: _inner_is_free, Place.OUTPUTS: _outputs_are_free}


def _importance(state: Mapping[str, Tensor], filters: tuple[_Filters, ...]) -> Tensor:
    found = torch.zeros(())
    for each in filters:
        norms = state[each.weight].flatten(1).norm(dim=1)
        scale, variance = state[f"{each.norm}.weight"], state[f"{each.norm}.running_var"]
        found = found + norms * scale.abs() / (variance + _EPSILON).sqrt()
    return found


def _adds_input(cell: AnyCell, shape: ShapeHWC) -> bool:
    return (
        isinstance(cell, Residual | InvertedResidual | Bottleneck)
        and cell.output_shape(shape) == shape
    )


def _cut(spec: NetworkSpec, kept: Kept) -> NetworkSpec:
    cells = [explicit(c, shape) for c, shape in zip(spec.cells, spec.shapes()[:-1], strict=True)]
    for (index, place), channels in kept.items():
        resize = with_inner if place is Place.INNER else with_outputs
        cells[index] = resize(cells[index], len(channels))
    return NetworkSpec(name=spec.name, input_shape=spec.input_shape, cells=tuple(cells))


def _structure(spec: NetworkSpec) -> list[tuple[bool, bool]]:
    pairs = zip(spec.cells, spec.shapes()[:-1], strict=True)
    return [(_adds_input(cell, shape), has_expansion(cell, shape)) for cell, shape in pairs]
