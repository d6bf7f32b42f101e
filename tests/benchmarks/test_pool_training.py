"""Candidates that learn in one program learn what they learn one after another."""

from __future__ import annotations

import pytest
import torch

from benchmarks.search.pool_training import as_one_program, one_after_another
from edgeflow.nets.cells import build_cells
from edgeflow.nets.specs import AnyCell, Convolution, DepthwiseSeparable, InvertedResidual, Residual

SHAPE = (4, 4, 8)


@pytest.mark.parametrize(
    "cell",
    [
        Convolution(channels=8),
        DepthwiseSeparable(channels=8, stride=(2, 2)),
        InvertedResidual(channels=8, expansion=2),
        Residual(channels=4, inner_channels=4),
    ],
    ids=lambda cell: cell.kind,
)
def test_both_ways_give_the_same_weights(cell: AnyCell) -> None:
    """Running statistics are left out: the pool forgets faster what was before the first step."""
    x = torch.randn(16, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        # Moved: gradients that are nothing but rounding would become whole steps of AdamW.
        y = 1.5 * build_cells((cell,), SHAPE, 9)(x) + 0.5
    modules = [build_cells((cell,), SHAPE, seed) for seed in range(3)]
    alone, together = (way(modules, x, y)[1] for way in (one_after_another, as_one_program))
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            if "running" not in name:
                assert torch.allclose(one[name], other[name], atol=1e-4), name
