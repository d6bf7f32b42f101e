"""A trained teacher on the digits, small enough to learn a whole pool in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeflow.data.dataset import Dataset
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.nets import network
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import Convolution, GlobalAveragePool, InvertedResidual, Logits
from edgeflow.search.candidates import space
from edgeflow.search.options import PoolOptions
from edgeflow.search.pool import Pool, train_pool
from edgeflow.search.scores import score_candidates
from edgeflow.search.space import Space
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions

OPTIONS = PoolOptions(
    images=512,
    score_images=512,
    batch_size=16,
    steps=96,
    narrower_steps=32,
    fewer_bits_steps=16,
)


@dataclass(frozen=True, eq=False)
class Taught:
    """Data, teacher, the space around it, and the pool."""

    dataset: Dataset
    teacher: nn.Module
    space: Space
    pool: Pool


@cache
def scores() -> tuple[NDArray[np.float64], ...]:
    """Those of the pool."""
    found = taught()
    return score_candidates(found.space, found.teacher, found.pool, found.dataset, OPTIONS)


@cache
def taught() -> Taught:
    """The same for all tests of a process."""
    dataset = load(DataOptions(source="digits"))
    spec = NetworkSpec(
        name="teacher",
        input_shape=dataset.input_shape_hwc,
        cells=(
            Convolution(channels=8, stride=(2, 2)),
            InvertedResidual(channels=8, expansion=2),
            GlobalAveragePool(),
            Logits(units=dataset.outputs),
        ),
    )
    options = TrainOptions(epochs=6, sanity_checks=False)
    teacher = fit(network.build(spec, 0), dataset, options).network.eval()
    around = space(spec, 4, (8, 4, 2))
    return Taught(dataset, teacher, around, train_pool(around, teacher, dataset, OPTIONS))
