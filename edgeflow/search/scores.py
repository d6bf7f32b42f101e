"""What each candidate alone adds to the loss of the network (LANA's zero-order score).

    score = L(teacher with the candidate in the place of its cell) - L(teacher)

on samples of the training part that no candidate imitated, with the candidate's weights on the
grids of their bits. Molchanov et al. 2022 (LANA, arXiv 2107.10624), section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset
from edgeflow.nets.cells import build_cells
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.search.maps import Maps, cell_maps, chosen_images
from edgeflow.search.options import PoolOptions
from edgeflow.search.pool import Pool
from edgeflow.search.space import Space
from edgeflow.search.weight_grids import state_on_grid
from edgeflow.train.batches import EVALUATION_BATCH, Source, plain_batch, source
from edgeflow.train.determinism import deterministic

STAGE = "scores"
_BATCH = 32  # small enough for the cache: 256 at a time take more than twice as long


def score_candidates(
    space: Space,
    teacher: nn.Module,
    pool: Pool,
    dataset: Dataset,
    options: PoolOptions,
    progress: Progress = silent,
) -> tuple[NDArray[np.float64], ...]:
    """For each searched cell the scores [candidates]."""
    assert isinstance(teacher, nn.Sequential)
    samples = source(dataset, dataset.train)
    images = chosen_images(len(dataset.train), options).scored
    targets = plain_targets(samples, images)
    shapes, found = space.teacher.shapes(), []
    with deterministic(options.seed, options.threads), torch.no_grad():
        for number, cell in enumerate(space.cells):
            maps = cell_maps(teacher, cell.index, samples, images)
            rest = teacher[cell.index + 1 :]
            before = _loss(
                nn.Sequential(), rest, Maps(maps.outputs, maps.outputs), samples, targets
            )
            losses = []
            for index, candidate in enumerate(cell.candidates):
                module = build_cells(candidate.cells, shapes[cell.index], 0)
                state = state_on_grid(pool.states[number][index], candidate.weight_bits)
                module.load_state_dict(state)
                losses.append(_loss(module.eval(), rest, maps, samples, targets))
            found.append(np.array(losses) - before)
            progress(
                ProgressEvent(STAGE, f"scores of cell {cell.index}", number + 1, len(space.cells))
            )
    return tuple(found)


def network_losses(
    networks: Iterator[nn.Module], dataset: Dataset, options: PoolOptions
) -> NDArray[np.float64]:
    """The losses of whole networks on the samples that scores are made with."""
    samples = source(dataset, dataset.train)
    images = chosen_images(len(dataset.train), options).scored
    x, targets = _inputs(samples, images), plain_targets(samples, images)
    with deterministic(options.seed, options.threads), torch.no_grad():
        return np.array(
            [
                _loss(network.eval(), nn.Sequential(), Maps(x, x), samples, targets)
                for network in networks
            ]
        )


def plain_targets(samples: Source, images: NDArray[np.int64]) -> Tensor:
    """The targets of these samples as they are."""
    return torch.cat([plain_batch(samples, part).targets for part in _parts(images)])


def _inputs(samples: Source, images: NDArray[np.int64]) -> Tensor:
    return torch.cat([plain_batch(samples, part).x for part in _parts(images)])


def _parts(images: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(images), EVALUATION_BATCH):
        yield images[start : start + EVALUATION_BATCH]


def _loss(first: nn.Module, rest: nn.Module, maps: Maps, samples: Source, targets: Tensor) -> float:
    """The mean loss of `rest` behind `first`, over the maps' inputs."""
    total = 0.0
    for start in range(0, len(maps), _BATCH):
        part = slice(start, start + _BATCH)
        outputs = rest(first(maps.inputs[part]))
        loss = samples.objective.loss(outputs, targets[part], 0.0)
        total += float(loss) * len(outputs)
    return total / len(maps)
