"""Random changes to a batch [N, C, H, W], drawn from one generator, without a loop over samples.

Moves go first and take along what is asked about a sample; corruptions follow and do not, so that
an autoencoder learns to undo them; mixup comes last and mixes samples and targets. Draws are made
on the CPU whatever the batch's device, so that they do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from edgeflow.train.options import Augmentation, TrainOptions

Transform = Callable[[Tensor, Generator, TrainOptions], Tensor]

LARGEST_SHIFT = 8  # shifts reach up to 1/8 of a side
TIME_MASKS, LARGEST_TIME_MASK = 2, 8  # two masks of up to 1/8 of the frames
FREQUENCY_MASKS, LARGEST_FREQUENCY_MASK = 1, 4  # one of up to 1/4 of the coefficients


def move(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    """The batch after every chosen move."""
    return _apply(MOVES, x, generator, options)


def corrupt(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    """The batch after every chosen corruption."""
    return _apply(CORRUPTIONS, x, generator, options)


def mix(
    x: Tensor, targets: Tensor, outputs: int, generator: Generator, options: TrainOptions
) -> tuple[Tensor, Tensor]:
    """Batch and targets after mixup, if it is chosen; class labels become probabilities."""
    if Augmentation.MIXUP not in options.augmentations:
        return x, targets
    return mixup(x, targets, outputs, options.mixup_alpha, generator)


def shift(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Move sample i down by rows[i] and right by columns[i] elements; zeros move in."""
    n, _, height, width = x.shape
    down, right = int(rows.abs().max()), int(columns.abs().max())
    padded = functional.pad(x, (right, right, down, down))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    first = torch.arange(n, device=x.device)
    return windows[first, :, (down - rows).to(x.device), (right - columns).to(x.device)]


def mixup(
    x: Tensor, targets: Tensor, outputs: int, alpha: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """mixup (Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv 1710.09412, equation in section 2).

    x~ = l x_i + (1 - l) x_j and the same for targets, l drawn for each sample from Beta(alpha,
    alpha), j a permutation of the batch. Whole numbers are class labels of `outputs` classes and
    become probabilities [N, outputs].
    """
    if not targets.is_floating_point():
        targets = functional.one_hot(targets, outputs).to(x.dtype)
    seed = int(torch.randint(2**62, (), generator=generator))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, len(x)).astype(np.float32)
    weight = torch.from_numpy(drawn).to(x.device)
    other = torch.randperm(len(x), generator=generator).to(x.device)

    def mean(values: Tensor) -> Tensor:
        own = weight.view(-1, *[1] * (values.ndim - 1))
        return own * values + (1.0 - own) * values[other]

    return mean(x), mean(targets)


def _apply(
    transforms: Mapping[Augmentation, Transform],
    x: Tensor,
    generator: Generator,
    options: TrainOptions,
) -> Tensor:
    for name, transform in transforms.items():
        if name in options.augmentations:
            x = transform(x, generator, options)
    return x


def _steps(n: int, size: int, generator: Generator) -> Tensor:
    most = size // LARGEST_SHIFT
    return torch.randint(-most, most + 1, (n,), generator=generator)


def _shift(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    rows = _steps(len(x), x.shape[2], generator)
    return shift(x, rows, _steps(len(x), x.shape[3], generator))


def _time_shift(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    rows = _steps(len(x), x.shape[2], generator)
    return shift(x, rows, torch.zeros_like(rows))


def _flip(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    flips = torch.randint(0, 2, (len(x), 1, 1, 1), generator=generator, dtype=torch.bool)
    return torch.where(flips.to(x.device), x.flip(3), x)


def _flip_crop(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    return _shift(_flip(x, generator, options), generator, options)


def _cutout(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    """Cutout (DeVries, Taylor 2017, arXiv 1708.04552): its centre anywhere, so it may hang over."""
    rows = _centred(len(x), x.shape[2], options.cutout_size, generator)
    columns = _centred(len(x), x.shape[3], options.cutout_size, generator)
    hole = rows.unsqueeze(2) & columns.unsqueeze(1)
    return x.masked_fill(hole.unsqueeze(1).to(x.device), 0.0)


def _noise(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    deviation = options.noise_deviation * torch.rand(len(x), 1, 1, 1, generator=generator)
    noise = torch.randn(x.shape, generator=generator) * deviation
    return x + noise.to(x.device)


def _spec_augment(x: Tensor, generator: Generator, options: TrainOptions) -> Tensor:
    """SpecAugment without time warping (Park et al. 2019, arXiv 1904.08779, section 2).

    A mask's length is uniform up to its limit, then its start among those where it fits. On MFCCs
    a band of coefficients stands for the paper's band of mel channels.
    """
    for _ in range(TIME_MASKS):
        frames = _band(len(x), x.shape[2], LARGEST_TIME_MASK, generator)
        x = x.masked_fill(frames.view(len(x), 1, -1, 1).to(x.device), 0.0)
    for _ in range(FREQUENCY_MASKS):
        coefficients = _band(len(x), x.shape[3], LARGEST_FREQUENCY_MASK, generator)
        x = x.masked_fill(coefficients.view(len(x), 1, 1, -1).to(x.device), 0.0)
    return x


def _centred(n: int, size: int, fraction: float, generator: Generator) -> Tensor:
    """[n, size], true on a stretch of `fraction` around an element drawn for each row."""
    length = max(1, round(fraction * size))
    start = torch.randint(0, size, (n, 1), generator=generator) - length // 2
    place = torch.arange(size)
    return (place >= start) & (place < start + length)


def _band(n: int, size: int, largest: int, generator: Generator) -> Tensor:
    """[n, size], true on a stretch of up to size / largest elements, drawn for each row."""
    length = torch.randint(0, size // largest + 1, (n, 1), generator=generator)
    start = (torch.rand(n, 1, generator=generator) * (size - length + 1)).long()
    place = torch.arange(size)
    return (place >= start) & (place < start + length)


MOVES: Mapping[Augmentation, Transform] = {
    Augmentation.FLIP: _flip,
    Augmentation.SHIFT: _shift,
    Augmentation.TIME_SHIFT: _time_shift,
    Augmentation.FLIP_CROP: _flip_crop,
}

CORRUPTIONS: Mapping[Augmentation, Transform] = {
    Augmentation.NOISE: _noise,
    Augmentation.CUTOUT: _cutout,
    Augmentation.SPEC_AUGMENT: _spec_augment,
}
