"""Batches of data that stay as they came: gathered, mapped and augmented as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.preprocessing import Affine, Axis
from edgeflow.nets.layout import network_layout
from edgeflow.train.augment import corrupt, mix, move
from edgeflow.train.objective import OBJECTIVES, Objective
from edgeflow.train.options import TrainOptions

EVALUATION_BATCH = 256


@dataclass(frozen=True, eq=False)
class Source:
    """A split with what makes network inputs and targets of it. Samples keep their type (uint8).

    `scale` and `offset` hold the affine preprocessing for every element of a sample, [H * W * C],
    on the device that trains.
    """

    split: Split
    objective: Objective
    outputs: int
    scale: Tensor
    offset: Tensor

    def __len__(self) -> int:
        return len(self.split)


@dataclass(frozen=True, eq=False)
class Batch:
    """Network inputs [N, C, H, W], strided as NHWC (channels_last), and their targets."""

    x: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.x)


def source(dataset: Dataset, split: Split, device: torch.device | str = "cpu") -> Source:
    """The source of a split's batches on `device`."""
    affine, shape = dataset.preprocessing.affine, dataset.input_shape_hwc
    scale, offset = (
        torch.from_numpy(_for_each_element(values, affine, shape)).to(device)
        for values in (affine.scale, affine.offset)
    )
    return Source(split, OBJECTIVES[dataset.task], dataset.outputs, scale, offset)


def batch_order(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffled indices; a last batch below half the size is left out (batch norm needs company)."""
    order = torch.randperm(count, generator=generator)
    for batch in order.split(batch_size):
        if len(batch) * 2 >= min(batch_size, count):
            yield batch


def steps_per_epoch(count: int, batch_size: int) -> int:
    """How many batches `batch_order` gives."""
    whole, rest = divmod(count, batch_size)
    return whole + (rest * 2 >= min(batch_size, count))


def training_batch(
    source: Source, index: Tensor, options: TrainOptions, generator: torch.Generator
) -> Batch:
    """The samples at `index` with the augmentation of `options`, drawn from `generator`."""
    samples = source.split.select(index.numpy())
    x = move(_network_units(source, samples), generator, options)
    targets = _targets(source, samples, x)
    x, targets = mix(corrupt(x, generator, options), targets, source.outputs, generator, options)
    return Batch(x.contiguous(memory_format=torch.channels_last), targets)


def plain_batch(source: Source, index: NDArray[np.int64]) -> Batch:
    """The samples at `index` as they are: x equals `data.dataset.prepare` bit for bit."""
    samples = source.split.select(index)
    x = _network_units(source, samples)
    return Batch(x, _targets(source, samples, x))


def plain_batches(source: Source, count: int | None = None) -> Iterator[Batch]:
    """`count` samples spread evenly over the split, or all of them in order."""
    total = len(source)
    index = np.arange(total)
    if count is not None and count < total:
        index = np.arange(count) * total // count
    for start in range(0, len(index), EVALUATION_BATCH):
        yield plain_batch(source, index[start : start + EVALUATION_BATCH])


def for_convolutions(network: nn.Module) -> nn.Module:
    """`network` with weights strided as the batches are: 10 to 35 % faster steps on a CPU.

    Strided 1x1 convolutions of fewer than 8 channels keep the plain layout: for channels_last,
    oneDNN's AVX2 kernel of their weights' gradient (jit_1x1, torch 2.13) writes past its buffer.
    """
    plain = [module for module in network.modules() if _overruns(module)]
    kept = {id(parameter) for module in plain for parameter in module.parameters()}
    for parameter in network.parameters():
        if parameter.ndim == 4 and id(parameter) not in kept:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    for module in plain:
        module.register_forward_pre_hook(_in_plain_layout)
    return network


def _overruns(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels < 8
    )


def _in_plain_layout(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    # contiguous() would leave the strides of a single channel, which read as channels_last.
    return tuple(x.clone(memory_format=torch.contiguous_format) for x in inputs)


def _for_each_element(
    values: tuple[float, ...], affine: Affine, shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """The affine map's entries for each element of a sample: torch is fast at long rows."""
    along = [1, 1, 1]
    along[2 if affine.axis is Axis.CHANNEL else 1] = len(values)
    entries = np.asarray(values, dtype=np.float32).reshape(along)
    return np.broadcast_to(entries, shape).flatten()  # a copy: torch wants what may be written


def _network_units(source: Source, samples: Split) -> Tensor:
    raw = torch.from_numpy(np.ascontiguousarray(samples.x)).to(source.scale.device)
    # Two roundings, as prepare() has them; a fused multiply-add would have one.
    x = raw.flatten(1).to(torch.float32).mul_(source.scale).add_(source.offset)
    return network_layout(x.view(raw.shape))


def _targets(source: Source, samples: Split, x: Tensor) -> Tensor:
    return source.objective.targets(samples, x).to(x.device)
