from __future__ import annotations

import copy
import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from edgeflow.data.dataset import Dataset, Split, prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.preprocessing import Affine, Axis
from edgeflow.data.sources import load
from edgeflow.data.task import Task
from edgeflow.nets.layout import network_input
from edgeflow.train.batches import (
    Batch,
    batch_order,
    for_convolutions,
    plain_batch,
    plain_batches,
    source,
    steps_per_epoch,
    training_batch,
)
from edgeflow.train.options import TrainOptions


@cache
def digits() -> Dataset:
    return load(DataOptions())


def shaped(x: np.ndarray, affine: Affine) -> Dataset:
    """Digits' classes on other samples."""
    data = digits()
    preprocessing = data.preprocessing.model_copy(update={"affine": affine})
    labels = np.arange(len(x), dtype=np.int64) % 10
    return dataclasses.replace(data, train=Split(x, labels), preprocessing=preprocessing)


PER_CHANNEL = Affine(scale=(0.0039, 0.0173, 0.3), offset=(-0.5, 0.1, 2.0))
PER_WIDTH = Affine(scale=(0.1, 0.2, 0.3, 0.4), offset=(-1.0,), axis=Axis.WIDTH)
ONE = Affine(scale=(0.0123,), offset=(-0.7,))


@pytest.mark.parametrize("affine", [PER_CHANNEL, PER_WIDTH, ONE])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_without_augmentation_a_batch_is_what_prepare_gives(affine: Affine, kind: type) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 5, 4, 3)).astype(kind) * kind(1)
    data = shaped(x, affine)
    prepared = network_input(prepare(data.preprocessing, x))
    train = source(data, data.train)
    assert torch.equal(plain_batch(train, np.arange(20)).x, prepared)
    index = torch.tensor([3, 17, 0])
    batch = training_batch(train, index, TrainOptions(), torch.Generator())
    assert torch.equal(batch.x, prepared[index])
    assert batch.x.is_contiguous(memory_format=torch.channels_last)
    assert batch.targets.tolist() == [3, 7, 0]


def test_an_autoencoder_learns_to_undo_corruptions_and_to_follow_moves() -> None:
    data = dataclasses.replace(digits(), task=Task.ANOMALY)
    train, index = source(data, data.train), torch.arange(16)

    def batch(*names: str) -> Batch:
        options = TrainOptions.model_validate({"augmentation": names})
        return training_batch(train, index, options, torch.Generator().manual_seed(0))

    plain, noisy, moved = batch(), batch("noise", "cutout"), batch("shift")
    assert torch.equal(noisy.targets, plain.targets)
    assert not torch.equal(noisy.x, plain.x)
    assert not torch.equal(moved.targets, plain.targets)
    assert torch.equal(moved.targets, moved.x.permute(0, 2, 3, 1).flatten(1))


def test_the_data_are_neither_changed_nor_copied() -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 5, 4, 3)).astype(np.float32)
    data = shaped(x.copy(), PER_CHANNEL)
    train = source(data, data.train)
    training_batch(train, torch.arange(20), TrainOptions(), torch.Generator())
    list(plain_batches(train))
    assert train.split.x is data.train.x
    assert np.array_equal(data.train.x, x)


@pytest.mark.parametrize(
    ("count", "size"), [(1, 32), (2, 32), (31, 32), (32, 32), (47, 32), (48, 32), (1000, 7)]
)
def test_every_sample_comes_once_unless_the_last_batch_is_small(count: int, size: int) -> None:
    batches = list(batch_order(count, size, torch.Generator().manual_seed(0)))
    assert len(batches) == steps_per_epoch(count, size)
    seen = torch.cat(batches).tolist()
    assert len(set(seen)) == len(seen)
    assert count - len(seen) < size / 2


def test_a_few_samples_are_spread_over_the_split() -> None:
    data = digits()
    (batch,) = plain_batches(source(data, data.train), 50)
    assert len(batch) == 50
    rows = np.arange(50) * len(data.train) // 50
    assert batch.targets.tolist() == data.train.labels[rows].tolist()


@pytest.mark.parametrize(
    ("channels", "stride", "plain"), [(1, 2, True), (3, 2, True), (3, 1, False), (8, 2, False)]
)
def test_strided_1x1_convolutions_of_few_channels_stay_in_the_plain_layout(
    channels: int, stride: int, plain: bool
) -> None:
    """Where they do not, oneDNN's gradient of their weights writes past its buffer (AVX2)."""
    network = nn.Sequential(nn.Conv2d(channels, 6, 1, stride), nn.Conv2d(6, 4, 3))
    reference = copy.deepcopy(network)
    network = for_convolutions(network)
    seen: list[torch.Tensor] = []
    x = torch.randn(2, channels, 9, 9).contiguous(memory_format=torch.channels_last)
    network[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    outputs = network(x)
    assert (seen[0].stride()[1] == 81) == plain
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(outputs, reference(x))
