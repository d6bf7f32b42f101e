"""What each candidate alone adds to the loss of the network (LANA's zero-order score).

    score = L(teacher with the candidate in the place of its cell) - L(teacher)

on samples of the training part that no candidate imitated, with the candidate's weights on the
grids of their bits. Molchanov et al. 2022 (LANA, arXiv 2107.10624), section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset
from edgeflow.nets.cells import build_cells
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.search.maps import cell_maps, chosen_images, map_bytes, portions
from edgeflow.search.options import PoolOptions
from edgeflow.search.pool import Pool, State
from edgeflow.search.space import SearchedCell, Space
from edgeflow.search.weight_grids import state_on_grid
from edgeflow.train.batches import EVALUATION_BATCH, Source, plain_batch, source
from edgeflow.train.determinism import deterministic
from edgeflow.train.folded import BATCH, folded

STAGE = "scores"


@dataclass(frozen=True, eq=False)
class _Work:
    space: Space
    teacher: nn.Sequential
    samples: Source
    options: PoolOptions


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
    work = _Work(space, teacher, source(dataset, dataset.train), options)
    images = chosen_images(len(dataset.train), options).scored
    found = []
    with deterministic(options.seed, options.threads), torch.no_grad():
        for number, cell in enumerate(space.cells):
            totals = _cell_losses(work, cell, pool.states[number], images)
            found.append((totals[1:] - totals[0]) / len(images))
            progress(
                ProgressEvent(STAGE, f"scores of cell {cell.index}", number + 1, len(space.cells))
            )
    return tuple(found)


def _cell_losses(
    work: _Work, cell: SearchedCell, states: Sequence[State], images: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Losses over the images [1 + candidates], summed: the teacher's, then with each candidate."""
    shape = work.space.teacher.shapes()[cell.index]
    rest = folded(work.teacher[cell.index + 1 :])
    modules: list[nn.Module] = []
    for candidate, state in zip(cell.candidates, states, strict=True):
        own = build_cells(candidate.cells, shape, 0)
        own.load_state_dict(state_on_grid(state, candidate.weight_bits))
        modules.append(folded(own))
    totals = np.zeros(1 + len(modules))
    memory = work.options.memory_mib * 2**20
    for part in portions(images, map_bytes(work.space, cell.index), memory):
        maps = cell_maps(work.teacher, cell.index, work.samples, part)
        targets = plain_targets(work.samples, part)
        totals[0] += _loss(rest, maps.outputs, work.samples, targets)
        for index, module in enumerate(modules, start=1):
            whole = nn.Sequential(module, rest)
            totals[index] += _loss(whole, maps.inputs, work.samples, targets)
    return totals


def network_losses(
    networks: Iterator[nn.Module], dataset: Dataset, options: PoolOptions
) -> NDArray[np.float64]:
    """The losses of whole networks on the samples that scores are made with."""
    samples = source(dataset, dataset.train)
    images = chosen_images(len(dataset.train), options).scored
    x, targets = _inputs(samples, images), plain_targets(samples, images)
    with deterministic(options.seed, options.threads), torch.no_grad():
        losses = [_loss(folded(network), x, samples, targets) for network in networks]
    return np.array(losses) / len(images)


def plain_targets(samples: Source, images: NDArray[np.int64]) -> Tensor:
    """The targets of these samples as they are."""
    return torch.cat([plain_batch(samples, part).targets for part in _parts(images)])


def _inputs(samples: Source, images: NDArray[np.int64]) -> Tensor:
    return torch.cat([plain_batch(samples, part).x for part in _parts(images)])


def _parts(images: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(images), EVALUATION_BATCH):
        yield images[start : start + EVALUATION_BATCH]


def _loss(network: nn.Module, x: Tensor, samples: Source, targets: Tensor) -> float:
    """The loss, summed over inputs x [N, C, H, W]."""
    total = 0.0
    for given, wanted in zip(x.split(BATCH), targets.split(BATCH), strict=True):
        outputs = network(given)
        total += float(samples.objective.loss(outputs, wanted, 0.0)) * len(given)
    return total
