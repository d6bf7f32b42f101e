from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from edgeflow.data.dataset import Dataset, Split, prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import ExitCode, MissingToolError, ModelError, TrainingError
from edgeflow.nets.registry import build
from edgeflow.progress import ProgressEvent
from edgeflow.train.evaluate import accuracy
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.options import Augmentation, ComputeDevice, Schedule, TrainOptions


@cache
def digits() -> Dataset:
    return load(DataOptions())


def few(count: int) -> Dataset:
    """The first samples of each part: for tests about behaviour, not about accuracy."""
    data = digits()

    def cut(split: Split) -> Split:
        return Split(split.x[:count], split.y[:count])

    return dataclasses.replace(data, train=cut(data.train), validation=cut(data.validation))


def network(seed: int = 0) -> nn.Module:
    return build("small", (8, 8, 1), 10, seed)


def same(one: TrainedNetwork, other: TrainedNetwork) -> bool:
    states = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@cache
def trained() -> tuple[TrainedNetwork, tuple[ProgressEvent, ...]]:
    """The default training on digits, which several tests look at."""
    events: list[ProgressEvent] = []
    return fit(network(), digits(), TrainOptions(), events.append), tuple(events)


def test_digits_are_learnt() -> None:
    result, _ = trained()
    data = digits()
    assert result.validation_score >= 0.975
    test_accuracy = accuracy(result.network, prepare(data.preprocessing, data.test.x), data.test.y)
    assert test_accuracy >= 0.96


def test_the_best_epoch_is_kept() -> None:
    result, _ = trained()
    data = digits()
    x = prepare(data.preprocessing, data.validation.x)
    assert accuracy(result.network, x, data.validation.y) == result.validation_score
    assert result.validation_score == max(e.validation_score for e in result.history)
    assert result.history[result.best_epoch - 1].validation_score == result.validation_score
    assert not result.network.training


def test_each_epoch_is_one_progress_event() -> None:
    result, events = trained()
    assert [e.done for e in events] == list(range(1, TrainOptions().epochs + 1))
    assert {e.total for e in events} == {TrainOptions().epochs}
    assert events[-1].values["loss"] == result.history[-1].train_loss


def test_a_long_epoch_gives_signs_of_life() -> None:
    events: list[ProgressEvent] = []
    samples = len(few(450).train.y)
    options = TrainOptions(epochs=2, batch_size=2)
    fit(network(), few(450), options, events.append)
    inside = [e.message for e in events if "batch" in e.message]
    assert inside == [
        f"epoch {epoch}, batch {batch} of {samples // 2}"
        for epoch in (1, 2)
        for batch in range(100, samples // 2, 100)
    ]
    assert [e.done for e in events if "batch" not in e.message] == [1, 2]


@pytest.mark.parametrize("augmentation", list(Augmentation))
@pytest.mark.parametrize("schedule", list(Schedule))
def test_results_are_bit_identical(augmentation: Augmentation, schedule: Schedule) -> None:
    options = TrainOptions(epochs=2, augmentation=augmentation, schedule=schedule)
    torch.manual_seed(1)
    first = fit(network(), few(200), options)
    torch.manual_seed(2)
    assert same(first, fit(network(), few(200), options))
    assert first.history[-1] == fit(network(), few(200), options).history[-1]


def test_results_are_bit_identical_on_two_threads() -> None:
    options = TrainOptions(epochs=1, threads=2)
    assert same(fit(network(), few(100), options), fit(network(), few(100), options))


def test_seed_changes_the_result() -> None:
    one, other = (fit(network(), few(200), TrainOptions(epochs=1, seed=s)) for s in (0, 1))
    assert not same(one, other)


def test_torch_settings_and_the_given_network_are_left_as_they_were() -> None:
    given, untouched = network(), network().state_dict()
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.random.get_rng_state()
    fit(given, few(100), TrainOptions(epochs=1))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(given.state_dict()[name], untouched[name]) for name in untouched)


def test_test_part_is_never_looked_at() -> None:
    data = few(200)
    spoilt = dataclasses.replace(data, test=Split(data.test.x[:1], data.test.y[:1]))
    options = TrainOptions(epochs=1)
    assert same(fit(network(), data, options), fit(network(), spoilt, options))


def test_training_stops_after_epochs_that_bring_nothing() -> None:
    options = TrainOptions(epochs=30, patience=3, schedule=Schedule.COSINE)
    result = fit(network(), few(200), options)
    assert len(result.history) == result.best_epoch + 3 < 30
    whole = fit(network(), few(200), options.model_copy(update={"patience": 0}))
    assert len(whole.history) == 30
    assert whole.history[: len(result.history)] == result.history


def test_mixed_batches_train_and_validate() -> None:
    options = {"epochs": 8, "augmentation": ["shift", "mixup"], "mixup_alpha": 0.5}
    result = fit(network(), few(400), TrainOptions.model_validate(options))
    assert result.validation_score > 0.8


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_absent_is_a_missing_tool() -> None:
    with pytest.raises(MissingToolError, match="needs an NVIDIA GPU") as caught:
        fit(network(), few(100), TrainOptions(device=ComputeDevice.CUDA))
    assert caught.value.exit_code == ExitCode.MISSING_TOOL


def test_mixed_precision_without_a_gpu_is_refused() -> None:
    with pytest.raises(ValidationError, match="mixed_precision"):
        TrainOptions(mixed_precision=True)


@pytest.mark.gpu
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_a_gpu_trains_to_reproducible_weights_on_the_cpu(mixed_precision: bool) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU, or a torch without CUDA")
    options = TrainOptions(
        epochs=10, device=ComputeDevice.CUDA, mixed_precision=mixed_precision, ema=0.9
    )
    result = fit(network(), few(1000), options)
    assert result.validation_score > 0.9
    assert {value.device.type for value in result.network.state_dict().values()} == {"cpu"}
    assert same(result, fit(network(), few(1000), options))


@pytest.mark.parametrize("count", [2, 31, 33, 64])
def test_odd_numbers_of_samples_work(count: int) -> None:
    result = fit(network(), few(count), TrainOptions(epochs=2, batch_size=32))
    assert len(result.history) == 2


class Overflowing(nn.Module):
    """Gives NaN from the `healthy`-th training call on, as a diverging network does."""

    def __init__(self, healthy: int) -> None:
        super().__init__()
        self.inner = network()
        self.calls, self.healthy = 0, healthy

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += self.training
        return self.inner(x) * (torch.inf if self.calls > self.healthy else 1.0)


def test_a_learning_rate_that_explodes_is_a_training_error_with_place_and_cause() -> None:
    class Squaring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.flatten(1)).pow(5)

    with pytest.raises(TrainingError, match=r"at epoch \d+, step \d+|validation after") as caught:
        fit(Squaring(), few(200), TrainOptions(epochs=3, learning_rate=1e6))
    assert "learning rate" in caught.value.hint


def test_overflow_names_epoch_and_step() -> None:
    with pytest.raises(TrainingError, match="epoch 2, step 2"):
        fit(Overflowing(healthy=7), few(200), TrainOptions(epochs=3))
    with pytest.raises(TrainingError, match="epoch 1, step 1") as caught:
        fit(Overflowing(healthy=0), few(200), TrainOptions(epochs=3))
    assert "scaling" in caught.value.hint


def test_wrong_number_of_outputs_is_refused() -> None:
    with pytest.raises(ModelError, match="10 classes"):
        fit(build("small", (8, 8, 1), 3, 0), few(100), TrainOptions(epochs=1))


@pytest.mark.parametrize(
    "options", [{"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0}, {"momentum": 0.9}]
)
def test_bad_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TrainOptions.model_validate(options)


def test_accuracy_does_not_depend_on_the_batch_and_keeps_the_mode() -> None:
    result, _ = trained()
    data = digits()
    x = prepare(data.preprocessing, data.test.x)
    result.network.train()
    values = {accuracy(result.network, x, data.test.y, batch_size=n) for n in (7, 100, 1000)}
    assert result.network.training
    result.network.eval()
    assert len(values) == 1
    wrong = (data.test.y + 1) % 10
    assert accuracy(result.network, x, wrong) < 0.1
    assert np.isclose(values.pop(), accuracy(result.network, x, data.test.y))
