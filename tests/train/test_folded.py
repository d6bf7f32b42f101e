"""Networks that only answer: the same answers, from what was left as it was."""

from __future__ import annotations

import pytest
import torch

from edgeflow.nets.cells import build_cells
from edgeflow.nets.specs import (
    AnyCell,
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
from edgeflow.train.folded import folded

SHAPE = (8, 8, 8)
CELLS: tuple[AnyCell, ...] = (
    Convolution(channels=8, stride=(2, 2)),
    GroupedConvolution(channels=4, groups=2),
    DepthwiseSeparable(channels=4, squeeze_excite=True),
    InvertedResidual(channels=8),
    InvertedResidual(channels=4, expansion=1, stride=(2, 2)),
    Residual(channels=8),
    Residual(channels=4, stride=(2, 2), squeeze_excite=True),
    Bottleneck(channels=8, inner_channels=4),
    MaxPool(),
    GlobalAveragePool(),
    Dense(units=4),
)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.kind)
def test_a_folded_cell_answers_as_the_cell_and_leaves_its_input(cell: AnyCell) -> None:
    generator = torch.Generator().manual_seed(0)
    network = build_cells((Convolution(channels=8), cell), SHAPE, 0).train()
    x = torch.randn(16, 8, 8, 8, generator=generator)
    with torch.no_grad():
        network(x)  # running statistics of its own
        given = x.clone()
        answers = folded(network)(x)
        assert torch.equal(x, given)
        assert torch.allclose(answers, network.eval()(x), atol=1e-5)
    assert network[0].relu.inplace is False  # type: ignore[union-attr]


def test_a_folded_network_normalizes_nothing() -> None:
    network = build_cells(CELLS[:5], SHAPE, 0)
    kinds = {type(module) for module in folded(network).modules()}
    assert torch.nn.BatchNorm2d not in kinds
