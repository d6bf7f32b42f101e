"""Random changes to a batch [N, C, H, W], drawn from one generator, without a loop over samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from edgeflow.train.options import Augmentation


def shift(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Move sample i down by rows[i] and right by columns[i] elements; zeros move in."""
    n, channels, height, width = x.shape
    from_row = torch.arange(height).unsqueeze(0) - rows.unsqueeze(1)
    from_column = torch.arange(width).unsqueeze(0) - columns.unsqueeze(1)
    inside = ((from_row >= 0) & (from_row < height)).unsqueeze(2) & (
        (from_column >= 0) & (from_column < width)
    ).unsqueeze(1)
    index = from_row.clamp(0, height - 1).unsqueeze(2) * width
    index = index + from_column.clamp(0, width - 1).unsqueeze(1)
    flat = index.reshape(n, 1, height * width).expand(n, channels, height * width)
    moved = x.reshape(n, channels, height * width).gather(2, flat).reshape(x.shape)
    return moved * inside.unsqueeze(1)


def _steps(n: int, size: int, generator: Generator) -> Tensor:
    most = size // 8
    return torch.randint(-most, most + 1, (n,), generator=generator)


def _none(x: Tensor, generator: Generator) -> Tensor:
    return x


def _shift(x: Tensor, generator: Generator) -> Tensor:
    rows = _steps(len(x), x.shape[2], generator)
    return shift(x, rows, _steps(len(x), x.shape[3], generator))


def _time_shift(x: Tensor, generator: Generator) -> Tensor:
    rows = _steps(len(x), x.shape[2], generator)
    return shift(x, rows, torch.zeros_like(rows))


def _flip_crop(x: Tensor, generator: Generator) -> Tensor:
    flips = torch.randint(0, 2, (len(x), 1, 1, 1), generator=generator, dtype=torch.bool)
    return _shift(torch.where(flips, x.flip(3), x), generator)


AUGMENTATIONS: dict[Augmentation, Callable[[Tensor, Generator], Tensor]] = {
    Augmentation.NONE: _none,
    Augmentation.SHIFT: _shift,
    Augmentation.TIME_SHIFT: _time_shift,
    Augmentation.FLIP_CROP: _flip_crop,
}
