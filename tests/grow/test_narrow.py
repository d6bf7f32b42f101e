from __future__ import annotations

import dataclasses
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset, prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.data.task import Task
from edgeflow.errors import TrainingError
from edgeflow.grow.blocks import in_blocks, widened
from edgeflow.grow.imitate import OUTPUT_LOSSES
from edgeflow.grow.narrow import narrowed, wide_then_narrow
from edgeflow.grow.narrow_options import NarrowOptions
from edgeflow.nets.layout import network_input
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    Logits,
    MaxPool,
    Residual,
)
from edgeflow.progress import ProgressEvent
from edgeflow.train.evaluate import accuracy
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions

TRAIN = TrainOptions(epochs=2)
NARROW = NarrowOptions(width=2, wide_epochs=3, imitation_epochs=2, output_epochs=2)


@cache
def digits(count: int = 300) -> Dataset:
    """The first training samples: these tests are about what is learnt, not about how well."""
    data = load(DataOptions())
    return dataclasses.replace(data, train=data.train.select(slice(0, count)))


def network_of(*cells: object) -> NetworkSpec:
    return NetworkSpec(name="thin", input_shape=(8, 8, 1), cells=(*cells, Logits(units=10)))


THIN = {
    "convolutions": network_of(Convolution(channels=8), MaxPool(), Convolution(channels=16)),
    "separable": network_of(
        Convolution(channels=8), *[DepthwiseSeparable(channels=8)] * 2, GlobalAveragePool()
    ),
    "residual": network_of(
        Convolution(channels=8),
        Residual(channels=8),
        Residual(channels=16, stride=(2, 2)),
        GlobalAveragePool(),
    ),
    "inverted and dense": network_of(
        Convolution(channels=8),
        InvertedResidual(channels=8, expansion=2),
        InvertedResidual(channels=16, expansion=2, stride=(2, 2)),
        GlobalAveragePool(),
        Dense(units=16),
    ),
}


@cache
def twin(name: str) -> nn.Module:
    wide = build(widened(THIN[name], 2), 0)
    return fit(wide, digits(), TRAIN.model_copy(update={"epochs": 3})).network


def images(count: int = 300) -> Tensor:
    data = digits()
    return network_input(prepare(data.preprocessing, data.train.x[:count]))


def outputs_of_blocks(spec: NetworkSpec, network: nn.Module, x: Tensor) -> list[Tensor]:
    outputs = []
    with torch.no_grad():
        for block in in_blocks(spec, network.eval()):
            x = block(x)
            outputs.append(x)
    return outputs


def unexplained(thin: Tensor, wide: Tensor) -> float:
    """What the best linear map from `thin` to `wide` leaves, as a fraction of the whole."""
    a, b = (t.movedim(1, -1).flatten(0, -2).double() for t in (thin, wide))
    rest = b - a @ torch.linalg.lstsq(a, b, driver="gelsd").solution
    return float(rest.square().sum() / b.square().sum())


@pytest.mark.parametrize("name", THIN)
def test_every_block_explains_its_wide_twin_better_than_random_weights_do(name: str) -> None:
    spec, wide, x = THIN[name], twin(name), images()
    narrow = NARROW.model_copy(update={"imitation_epochs": 4, "output_epochs": 0})
    thin = narrowed(spec, wide, digits(), TRAIN, narrow)
    targets = outputs_of_blocks(widened(spec, 2), wide, x)
    found = {
        key: [
            unexplained(given, target)
            for given, target in zip(outputs_of_blocks(spec, net, x), targets, strict=True)
        ]
        for key, net in (("imitating", thin), ("random", build(spec, 0)))
    }
    assert len(found["random"]) > 2
    for imitating, random in zip(found["imitating"], found["random"], strict=True):
        assert imitating < random


@pytest.mark.parametrize("name", THIN)
def test_what_is_narrowed_has_exactly_the_thin_specification(name: str) -> None:
    spec = THIN[name]
    thin = narrowed(spec, twin(name), digits(), TRAIN, NARROW)
    expected = build(spec, 0)
    assert [type(cell) for cell in thin] == [type(cell) for cell in expected]
    shapes = [{k: v.shape for k, v in net.state_dict().items()} for net in (thin, expected)]
    assert shapes[0] == shapes[1]
    assert str(thin) == str(expected)


def test_narrowing_without_labels_learns_what_the_twin_knows() -> None:
    spec, data = THIN["convolutions"], digits()
    narrow = NARROW.model_copy(update={"output_epochs": 6, "learning_rate": 1e-2})
    thin = narrowed(spec, twin("convolutions"), data, TRAIN, narrow)
    held_out, labels = prepare(data.preprocessing, data.test.x), data.test.labels
    assert accuracy(thin, held_out, labels) > 0.75
    assert accuracy(build(spec, 0), held_out, labels) < 0.3


def test_equal_options_give_equal_networks_and_another_seed_others() -> None:
    spec, data = THIN["residual"], digits(100)
    one, same, other = (
        wide_then_narrow(spec, data, TRAIN.model_copy(update={"seed": seed}), NARROW).network
        for seed in (1, 1, 2)
    )
    pairs = [(value, same.state_dict()[name]) for name, value in one.state_dict().items()]
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(one[0].conv.weight, other[0].conv.weight)


def test_the_history_is_that_of_the_thin_network_and_every_stage_is_told() -> None:
    events: list[ProgressEvent] = []
    trained = wide_then_narrow(THIN["separable"], digits(100), TRAIN, NARROW, events.append)
    assert [record.epoch for record in trained.history] == [1, 2]
    epochs = [e for e in events if "validation_accuracy" in e.values]
    assert [e.values["validation_accuracy"] for e in epochs] == [
        record.validation_score for record in trained.history
    ]
    assert sum("wide_validation_accuracy" in e.values for e in events) == NARROW.wide_epochs
    imitation = [e.message for e in events if "imitation_loss" in e.values]
    blocks = [f"block {i} of 4 imitates its wide twin" for i in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert imitation == [*blocks, *["the network imitates its wide twin"] * 2]
    assert not trained.network.training


def test_a_rate_that_diverges_is_told_with_its_option() -> None:
    narrow = NARROW.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match="imitates its wide twin") as caught:
        narrowed(THIN["convolutions"], twin("convolutions"), digits(), TRAIN, narrow)
    assert "[narrow] learning_rate" in caught.value.hint


def test_every_task_has_outputs_to_imitate() -> None:
    assert set(OUTPUT_LOSSES) == set(Task)
