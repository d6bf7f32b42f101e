"""The whole quantization of a small network on small data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.options import DataOptions
from edgeflow.data.preprocessing import Affine, Preprocessing, RawFeatures
from edgeflow.data.sources import load
from edgeflow.data.task import Task
from edgeflow.errors import ConfigError, TrainingError
from edgeflow.nets import registry
from edgeflow.progress import ProgressEvent
from edgeflow.quantize.flow import Kept, quantize
from edgeflow.quantize.grids import FixedGrid
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.quantize.weight_bits import bits_by_layer
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions
from edgeflow.train.prune import baked, magnitude_masks, masked

OPTIONS = QuantizeOptions(calibration_samples=32, epochs=2, batch_size=16, threads=1)
QUICKEST = OPTIONS.model_copy(update={"epochs": 0})


def make_split(count: int, seed: int) -> Split:
    """Bright squares in one of three places."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    x = generator.normal(0.0, 0.2, (count, 6, 6, 1)).astype(np.float32)
    for i, label in enumerate(labels):
        x[i, 2 * label : 2 * label + 2, 1:5] += 1.0
    return Split(x, labels.astype(np.int64))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    preprocessing = Preprocessing(
        front_end=RawFeatures(), affine=Affine(scale=(0.5,), offset=(0.1,))
    )
    train, validation = make_split(96, 0), make_split(48, 1)
    unreadable = Split(np.empty((0, 0, 0, 0), np.float32), np.empty(0, np.int64))
    return Dataset("squares", train, validation, unreadable, ("a", "b", "c"), preprocessing, "0")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)
        )
        split = make_split(96, 0)
        x, y = (
            torch.from_numpy(split.x.transpose(0, 3, 1, 2) * 0.5 + 0.1),
            torch.from_numpy(split.y),
        )
        optimizer = torch.optim.Adam(network.parameters(), 0.02)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()
    return network.eval()


def state(network: nn.Module) -> dict[str, torch.Tensor]:
    return dict(network.state_dict())


def test_the_result_is_frozen_accurate_and_reported(network: nn.Module, dataset: Dataset) -> None:
    events: list[ProgressEvent] = []
    result = quantize(network, dataset, OPTIONS, events.append)
    assert result.float_score >= 0.95
    assert result.score >= result.float_score - 0.05
    assert result.score >= result.post_training_score
    assert result.calibration_inputs.shape == (32, 1, 6, 6)
    assert all(isinstance(grid, FixedGrid) for grid in result.module.quantizers.values())
    assert not any(parameter.requires_grad for parameter in result.module.parameters())
    assert not any(type(m).__module__.startswith("nncf") for m in result.module.modules())
    assert [event.done for event in events] == [0, 0, 0, 1, 2]
    assert {event.stage for event in events} == {"quantize"}
    assert {"train_loss", "validation_accuracy"} <= set(events[-1].values)


def test_a_long_epoch_gives_signs_of_life(network: nn.Module, dataset: Dataset) -> None:
    events: list[ProgressEvent] = []
    longer = replace(dataset, train=make_split(128, 0))
    quantize(network, longer, OPTIONS.model_copy(update={"batch_size": 1}), events.append)
    inside = [event for event in events if ", batch 100 of" in event.message]
    assert [event.done for event in inside] == [0, 1]
    assert all(event.values["train_loss"] > 0 for event in inside)


def test_equal_options_give_bit_identical_networks(network: nn.Module, dataset: Dataset) -> None:
    first, second = (quantize(network, dataset, OPTIONS) for _ in range(2))
    assert first.kept is second.kept
    assert state(first.module).keys() == state(second.module).keys()
    for name, value in state(first.module).items():
        assert torch.equal(value, state(second.module)[name]), name
    np.testing.assert_array_equal(first.calibration_inputs, second.calibration_inputs)


def test_another_seed_gives_other_calibration_samples(network: nn.Module, dataset: Dataset) -> None:
    options = OPTIONS.model_copy(update={"epochs": 0})
    first = quantize(network, dataset, options)
    second = quantize(network, dataset, options.model_copy(update={"seed": 1}))
    assert not np.array_equal(first.calibration_inputs, second.calibration_inputs)


def test_without_epochs_only_post_training_happens(network: nn.Module, dataset: Dataset) -> None:
    result = quantize(network, dataset, OPTIONS.model_copy(update={"epochs": 0}))
    assert result.kept is Kept.POST_TRAINING
    assert result.fine_tuned_score is None


def test_fine_tuning_that_makes_it_worse_is_not_kept(network: nn.Module, dataset: Dataset) -> None:
    destructive = OPTIONS.model_copy(update={"epochs": 1, "learning_rate": 3.0})
    result = quantize(network, dataset, destructive)
    assert result.fine_tuned_score is not None
    assert result.fine_tuned_score < result.post_training_score
    assert result.kept is Kept.POST_TRAINING
    assert result.score == result.post_training_score


def test_fine_tuning_that_diverges_is_a_training_error(
    network: nn.Module, dataset: Dataset
) -> None:
    with pytest.raises(TrainingError, match="epoch 1") as caught:
        quantize(network, dataset, OPTIONS.model_copy(update={"learning_rate": 1e30}))
    assert "learning rate" in caught.value.hint


def test_fine_tuning_restores_coarse_weights(network: nn.Module, dataset: Dataset) -> None:
    options = OPTIONS.model_copy(update={"weight_bits": 2, "epochs": 6, "learning_rate": 5e-3})
    result = quantize(network, replace(dataset, name="coarse"), options)
    assert result.fine_tuned_score is not None
    assert result.fine_tuned_score >= result.post_training_score
    assert result.score >= 0.9


def _widths(module: nn.Module) -> list[int]:
    grids = [m for m in module.modules() if isinstance(m, FixedGrid) and m.low == -m.high]
    return [grid.high.bit_length() + 1 for grid in grids]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"weight_bits": 4}, [4, 4]),
        ({"weight_bits": 2, "first_and_last_weight_bits": 8}, [8, 8]),
        ({"weight_bits": 4, "layer_weight_bits": {"LAST": 2}}, [4, 2]),
    ],
)
def test_layers_get_the_weight_bits_that_the_options_say(
    network: nn.Module, dataset: Dataset, options: dict[str, object], expected: list[int]
) -> None:
    names = list(bits_by_layer(quantize(network, dataset, QUICKEST).module, QUICKEST))
    assert len(names) == 2
    given = QUICKEST.model_dump() | options
    if given["layer_weight_bits"]:
        given["layer_weight_bits"] = {names[-1]: 2}
    result = quantize(network, dataset, QuantizeOptions.model_validate(given))
    assert _widths(result.module) == expected


def test_weight_bits_of_an_unknown_layer_are_refused_with_the_names(
    network: nn.Module, dataset: Dataset
) -> None:
    options = QUICKEST.model_copy(update={"layer_weight_bits": {"nowhere": 4}})
    with pytest.raises(ConfigError, match="'nowhere'") as caught:
        quantize(network, dataset, options)
    assert "layers of this network: " in caught.value.hint


@pytest.mark.parametrize(
    "change", [{"weight_bits": 9}, {"temperature": 0}, {"epochs": -1}, {"unknown": 1}]
)
def test_options_out_of_range_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        QuantizeOptions.model_validate(change)


@pytest.mark.parametrize("task", [Task.REGRESSION, Task.ANOMALY])
def test_other_tasks_stay_close_to_the_float_network_and_are_chosen_by_their_score(
    tmp_path: Path, task: Task
) -> None:
    generator = np.random.default_rng(0)
    hidden = generator.normal(size=(300, 2))
    x = np.tanh(hidden @ generator.normal(size=(2, 6))).astype(np.float32)
    arrays = {"x": x, "y": hidden[:, 0] * 7.0 + 30.0}
    if task is Task.ANOMALY:
        arrays = {"x_train": x[:250], "x_test": x[250:], "y_test": np.arange(50) % 2}
    np.savez(tmp_path / "d.npz", **arrays)
    data = load(DataOptions(source=str(tmp_path / "d.npz")))
    assert data.task is task
    network = registry.build("autoencoder", data.input_shape_hwc, data.outputs, 0)
    trained = fit(network, data, TrainOptions(epochs=12)).network
    result = quantize(trained, data, QuantizeOptions(epochs=2, calibration_samples=64))
    assert result.float_score > 0.8
    assert result.post_training_score > result.float_score - 0.02
    assert result.score == max(result.post_training_score, result.fine_tuned_score or 0.0)
    assert result.post_training_outputs.shape == (len(data.validation), data.outputs)


def test_pruned_weights_stay_zero_while_the_rest_is_fine_tuned(
    network: nn.Module, dataset: Dataset
) -> None:
    sparse = baked(masked(network, magnitude_masks(network, 0.9)))
    options = OPTIONS.model_copy(update={"learning_rate": 1e-2, "soft_weight": 0.0, "epochs": 6})
    tuned = quantize(sparse, dataset, options)
    untuned = quantize(sparse, dataset, QUICKEST)
    assert tuned.kept is Kept.FINE_TUNED
    before, after = (state(q.module) for q in (untuned, tuned))
    weights = [name for name, value in before.items() if name.endswith("weight") and value.ndim > 1]
    assert weights
    assert any(not torch.equal(before[name], after[name]) for name in weights)
    for value in sparse.state_dict().values():
        if value.ndim > 1:
            (same,) = [n for n in weights if before[n].shape == value.shape]
            assert not after[same][value == 0].any()
