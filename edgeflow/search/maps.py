"""Feature maps of a teacher: what goes into a cell and what comes out, some images at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeflow.search.options import PoolOptions
from edgeflow.search.space import Space
from edgeflow.train.batches import Source, plain_batch
from edgeflow.train.folded import BATCH, folded

_FLOAT_BYTES = 4
_LARGEST_SHARE_OF_SCORES = 4  # a quarter


@dataclass(frozen=True, eq=False)
class Maps:
    """Input and output of a cell [N, C, H, W], strided as channels_last."""

    inputs: Tensor
    outputs: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, eq=False)
class Images:
    """Samples of the training part by their index: to imitate on, and to score with."""

    imitated: NDArray[np.int64]
    scored: NDArray[np.int64]


def chosen_images(count: int, options: PoolOptions) -> Images:
    """Disjoint samples of `count`; of few, at most a quarter goes to the scores."""
    order = np.random.default_rng(options.seed).permutation(count)
    scored = max(1, min(options.score_images, count // _LARGEST_SHARE_OF_SCORES))
    return Images(order[scored : scored + options.images], order[:scored])


def portions(
    images: NDArray[np.int64], bytes_per_image: int, memory_bytes: int
) -> tuple[NDArray[np.int64], ...]:
    """The images in parts of about one size whose maps fit into memory; at least two in each."""
    fit = max(2, memory_bytes // bytes_per_image)
    parts = min(math.ceil(len(images) / fit), max(1, len(images) // 2))
    return tuple(np.array_split(images, parts))


def map_bytes(space: Space, index: int) -> int:
    """Bytes of a cell's input and output for one image."""
    shapes = space.teacher.shapes()
    return _FLOAT_BYTES * (math.prod(shapes[index]) + math.prod(shapes[index + 1]))


def cell_maps(
    teacher: nn.Sequential, index: int, source: Source, images: NDArray[np.int64]
) -> Maps:
    """The maps of the teacher's cell `index` for these images."""
    first = folded(teacher[:index])
    cell = folded(teacher[index])
    x = y = torch.empty(0)
    with torch.no_grad():
        for start in range(0, len(images), BATCH):
            samples = plain_batch(source, images[start : start + BATCH]).x
            given = first(samples.contiguous(memory_format=torch.channels_last))
            made = cell(given)
            if start == 0:
                x, y = (_room_for(len(images), each) for each in (given, made))
            x[start : start + BATCH] = given
            y[start : start + BATCH] = made
    return Maps(x, y)


def _room_for(count: int, part: Tensor) -> Tensor:
    """Written part by part: joining parts at the end would hold all maps twice."""
    return torch.empty((count, *part.shape[1:]), memory_format=torch.channels_last)
