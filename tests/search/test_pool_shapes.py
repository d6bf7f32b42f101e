"""Pools of teachers of every kind of cell: flat data, strides, depthwise convolutions, gates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.preprocessing import Affine, Preprocessing, RawFeatures
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    Bottleneck,
    Convolution,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    Logits,
    Residual,
    ShapeHWC,
)
from edgeflow.search.assemble import assembled
from edgeflow.search.candidates import space
from edgeflow.search.options import PoolOptions
from edgeflow.search.pool import train_pool
from edgeflow.search.scores import score_candidates
from edgeflow.search.space import covering

OPTIONS = PoolOptions(
    images=16, score_images=8, batch_size=8, steps=2, narrower_steps=1, fewer_bits_steps=1
)
CASES: dict[str, tuple[ShapeHWC, AnyCell]] = {
    "flat, strided": ((12, 1, 4), Convolution(channels=8, kernel=(3, 1), stride=(2, 1))),
    "flat, depthwise": ((12, 1, 8), DepthwiseSeparable(channels=8, kernel=(3, 1))),
    "depthwise, strided": ((6, 5, 4), DepthwiseSeparable(channels=8, stride=(2, 2))),
    "few channels, strided": ((6, 6, 3), Residual(channels=8, stride=(2, 2))),
    "gates": ((6, 6, 8), InvertedResidual(channels=8, expansion=2, squeeze_excite=True)),
    "wider at expansion 1": (
        (6, 6, 8),
        InvertedResidual(channels=8, expansion=1, inner_channels=16),
    ),
    "bottleneck": ((6, 6, 8), Bottleneck(channels=16, inner_channels=8)),
}


def data(shape: ShapeHWC) -> Dataset:
    generator = np.random.default_rng(0)
    x = generator.random((32, *shape), dtype=np.float32)
    split = Split(x, generator.integers(0, 2, 32))
    affine = Affine(scale=(1.0,), offset=(0.0,))
    preprocessing = Preprocessing(front_end=RawFeatures(), affine=affine)
    return Dataset("drawn", split, split, split, ("a", "b"), preprocessing, "0")


@pytest.mark.parametrize("name", CASES)
def test_every_candidate_learns_is_scored_and_fits_into_the_network(name: str) -> None:
    shape, cell = CASES[name]
    spec = NetworkSpec(
        name="teacher", input_shape=shape, cells=(cell, GlobalAveragePool(), Logits(units=2))
    )
    teacher, drawn = build(spec, 0).eval(), data(shape)
    around = space(spec, 8, (8, 2))
    pool = train_pool(around, teacher, drawn, OPTIONS)
    (scores,) = score_candidates(around, teacher, pool, drawn, OPTIONS)
    assert len(scores) == around.size
    assert np.isfinite(scores).all()
    assert abs(scores[0]) < 0.05
    height, width, channels = shape
    x = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(0))
    for choice in covering(around):
        with torch.no_grad():
            assert assembled(around, choice, teacher, pool)(x).shape == (2, 2)
