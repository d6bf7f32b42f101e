"""Each sanity check, with a fault that it is there to find."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.options import DataOptions
from edgeflow.data.preprocessing import Affine
from edgeflow.data.sources import load
from edgeflow.data.task import Task
from edgeflow.errors import ExitCode, ModelError, TrainingError
from edgeflow.nets.registry import build
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions
from edgeflow.train.sanity import Check, Finding, examine, require


@cache
def digits() -> Dataset:
    return load(DataOptions())


def with_train(x: np.ndarray, labels: np.ndarray) -> Dataset:
    return dataclasses.replace(digits(), train=Split(x, labels))


def found(
    network: nn.Module | None = None, data: Dataset | None = None, **options: float
) -> dict[Check, Finding]:
    network = network or build("small", (8, 8, 1), 10, 0)
    findings = examine(network, data or digits(), TrainOptions.model_validate(options))
    return {finding.check: finding for finding in findings}


def failed(findings: dict[Check, Finding]) -> set[Check]:
    return {check for check, finding in findings.items() if not finding.passed}


def stops(findings: dict[Check, Finding]) -> set[Check]:
    return {check for check in failed(findings) if findings[check].stops}


def dense(*last: nn.Module) -> nn.Sequential:
    """No batch norm, which would hide a wrong scale."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), *last)


class Mapped(nn.Module):
    """A network behind a function of its input."""

    def __init__(self, function: Callable[[Tensor], Tensor], inner: nn.Module) -> None:
        super().__init__()
        self.function, self.inner = function, inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.function(x))


@pytest.mark.parametrize("name", ["small", "mlperf-autoencoder"])
def test_a_sound_network_passes_every_check(name: str) -> None:
    findings = found(build(name, (8, 8, 1), 10, 0))
    assert list(findings) == list(Check)
    assert failed(findings) == set()
    require(tuple(findings.values()))


def test_shuffled_labels_are_no_fault_that_a_check_could_see() -> None:
    labels = np.random.default_rng(0).permutation(digits().train.labels)
    assert failed(found(data=with_train(digits().train.x, labels))) == set()


def quantities(scale: float, offset: float) -> Dataset:
    """Regression: how much ink a digit has, and its square."""
    ink = digits().train.x.mean(axis=(1, 2, 3), dtype=np.float32)
    ink = (ink - ink.mean()) / ink.std()
    y = np.stack([ink, ink**2], axis=1) * np.float32(scale) + np.float32(offset)
    return dataclasses.replace(
        digits(), task=Task.REGRESSION, train=Split(digits().train.x, y.astype(np.float32))
    )


CLASSES_ALONE = {Check.CLASS_BALANCE, Check.LABEL_NOISE}


def test_sound_networks_of_other_tasks_pass_every_check_that_suits_them() -> None:
    anomaly = dataclasses.replace(digits(), task=Task.ANOMALY)
    for name, data in (("small", quantities(1.0, 0.0)), ("mlperf-autoencoder", anomaly)):
        findings = found(build(name, (8, 8, 1), data.outputs, 0), data)
        assert set(findings) == set(Check) - CLASSES_ALONE
        assert failed(findings) == set()


def test_targets_far_from_zero_are_seen_in_the_initial_loss() -> None:
    data = quantities(1.0, 100.0)
    findings = found(build("small", (8, 8, 1), data.outputs, 0), data)
    assert Check.INITIAL_LOSS in failed(findings)
    assert "targets" in findings[Check.INITIAL_LOSS].cause


def test_neither_network_nor_generators_are_changed() -> None:
    network, options = build("small", (8, 8, 1), 10, 0), TrainOptions(epochs=1)
    untouched = {name: value.clone() for name, value in network.state_dict().items()}
    generator = torch.random.get_rng_state()
    first = examine(network, digits(), options)
    assert first == examine(network, digits(), options)
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert all(torch.equal(network.state_dict()[name], untouched[name]) for name in untouched)


def test_data_that_are_no_numbers_stop() -> None:
    x = digits().train.x.astype(np.float32)
    x[3, 2, 2] = np.nan
    findings = found(data=with_train(x, digits().train.labels))
    assert stops(findings) == {Check.FINITE}
    assert "1 of" in findings[Check.FINITE].message


def test_weights_that_are_no_numbers_stop() -> None:
    network = dense()
    with torch.no_grad():
        network[1].weight[0, 0] = np.inf
    assert stops(found(network)) == {Check.FINITE}


def test_inputs_of_a_wrong_scale_are_seen_in_the_initial_loss() -> None:
    affine = Affine(scale=(1000.0,), offset=(0.0,))
    preprocessing = digits().preprocessing.model_copy(update={"affine": affine})
    data = dataclasses.replace(digits(), preprocessing=preprocessing)
    assert Check.INITIAL_LOSS not in failed(found(dense()))
    assert Check.INITIAL_LOSS in failed(found(dense(), data))


def test_a_last_layer_with_large_weights_is_seen_in_the_initial_loss() -> None:
    network = build("small", (8, 8, 1), 10, 0)
    with torch.no_grad():
        network[-1].linear.weight.mul_(100)
    findings = found(network)
    assert failed(findings) == {Check.INITIAL_LOSS}
    assert not findings[Check.INITIAL_LOSS].stops
    assert "guessing gives 2.3" in findings[Check.INITIAL_LOSS].message


def test_a_relu_behind_a_large_negative_bias_is_dead() -> None:
    network = dense()
    with torch.no_grad():
        network[1].bias.fill_(-100.0)
    findings = found(network)
    assert {Check.LIVING_LAYERS, Check.OVERFIT} <= stops(findings)
    assert findings[Check.LIVING_LAYERS].message == "2 gives 0 for each of 256 samples"
    assert "1" in findings[Check.GRADIENTS].message


def test_a_network_cut_off_from_its_gradient_cannot_learn_a_batch() -> None:
    network = dense()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    network[1].weight.requires_grad_(True)
    network[0] = Mapped(torch.zeros_like, nn.Flatten())
    findings = found(network)
    assert Check.OVERFIT in stops(findings)
    assert failed(findings) >= {Check.GRADIENTS, Check.INPUT_MATTERS}


def test_a_network_too_small_for_a_batch_is_told_and_trained() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        tiny = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Tanh(), nn.Linear(1, 10))
    findings = found(tiny)
    assert failed(findings) == {Check.OVERFIT}
    assert not findings[Check.OVERFIT].stops
    assert "too small" in findings[Check.OVERFIT].cause


def test_a_wrong_number_of_outputs_is_refused() -> None:
    with pytest.raises(ModelError, match="10 classes"):
        found(build("small", (8, 8, 1), 3, 0))


def test_a_network_that_ignores_its_input_is_found_by_zeroed_inputs() -> None:
    findings = found(Mapped(torch.zeros_like, dense()))
    assert Check.INPUT_MATTERS in stops(findings)
    assert Check.PREDICTIONS in failed(findings)


def test_a_layer_that_is_not_used_gets_no_gradient() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = dense(), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    findings = found(Unused())
    assert failed(findings) == {Check.GRADIENTS}
    assert findings[Check.GRADIENTS].message == "none reaches spare"


def test_a_learning_rate_at_which_the_loss_explodes_stops() -> None:
    for rate in (1e2, 1e38):
        findings = found(learning_rate=rate)
        assert stops(findings) == {Check.LEARNING_RATE}
        assert f"learning_rate = {rate:g}" in findings[Check.LEARNING_RATE].cause
    assert Check.LEARNING_RATE not in failed(found(learning_rate=1e-4))


def test_one_class_that_rules_gives_hints_and_no_stop() -> None:
    data = digits().train
    kept = (data.labels == 3) | (np.arange(len(data)) % 60 == 0)
    findings = found(data=with_train(data.x[kept], data.labels[kept]))
    assert Check.CLASS_BALANCE in failed(findings)
    assert stops(findings) == set()
    assert "'3', the most" in findings[Check.CLASS_BALANCE].message


def test_equal_samples_with_different_labels_are_a_hint() -> None:
    x, labels = digits().train.x.copy(), digits().train.labels.copy()
    x[500], labels[500] = x[100], (labels[100] + 1) % 10
    x[600], labels[600] = x[200], labels[200]
    findings = found(data=with_train(x, labels))
    assert failed(findings) == {Check.LABEL_NOISE}
    assert findings[Check.LABEL_NOISE].message.startswith("2 training samples")


def test_the_first_failure_that_stops_becomes_an_error_with_its_cause() -> None:
    hint = Finding(Check.INITIAL_LOSS, False, "100", "too large")
    stop = Finding(Check.OVERFIT, False, "loss 2.3", "cut off", stops=True)
    require((hint,))
    with pytest.raises(TrainingError, match="'one batch can be learnt' failed: loss 2") as caught:
        require((hint, stop))
    assert "cut off" in caught.value.hint
    assert "sanity_checks = false" in caught.value.hint
    assert caught.value.exit_code == ExitCode.TRAINING


def test_training_is_the_same_after_an_examination() -> None:
    options = TrainOptions(epochs=1)
    small = dataclasses.replace(
        digits(), train=Split(digits().train.x[:200], digits().train.labels[:200])
    )
    network = build("small", (8, 8, 1), 10, 0)
    before = fit(network, small, options)
    examine(network, small, options)
    assert fit(network, small, options).history == before.history
