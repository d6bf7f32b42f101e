"""A narrower candidate cut from a wider one of its family: its most important channels stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from edgeflow.nets.specs import AnyCell, ShapeHWC
from edgeflow.train.cell_channels import Channels, cut_state
from edgeflow.train.prune_channels import Place, most_important


def cut(
    cells: Sequence[AnyCell], shape: ShapeHWC, state: Mapping[str, Tensor], width: int
) -> dict[str, Tensor]:
    """The state with `width` channels inside; `state` is that of nn.Sequential of `cells`.

    The channels inside are those of one cell, or those between two.
    """
    own = [_own(state, index) for index in range(len(cells))]
    shapes = [shape]
    for cell in cells:
        shapes.append(cell.output_shape(shapes[-1]))
    every = [torch.arange(each[2]) for each in shapes]
    if len(cells) == 1:
        inner = most_important(cells[0], Place.INNER, own[0], width)
        stays = [Channels(every[0], inner, every[1])]
    else:
        between = most_important(cells[0], Place.OUTPUTS, own[0], width)
        none = torch.arange(0)
        stays = [Channels(every[0], none, between), Channels(between, none, every[2])]
    return {
        f"{index}.{name}": value.clone()
        for index, (cell, stay) in enumerate(zip(cells, stays, strict=True))
        for name, value in cut_state(cell, shapes[index], own[index], stay).items()
    }


def _own(state: Mapping[str, Tensor], index: int) -> dict[str, Tensor]:
    prefix = f"{index}."
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
