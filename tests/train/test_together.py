"""Many trainings as one program: each gives what it gives alone."""

from __future__ import annotations

import dataclasses
import warnings
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import TrainingError
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
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
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.fit_stacked import Run, fit_stacked
from edgeflow.train.options import Augmentation, ComputeDevice, Schedule, TrainOptions
from edgeflow.train.stack import can_stack, forward, same_structure, side_by_side, stack, state_of
from edgeflow.train.together import (
    LARGEST_ACTIVATION_BYTES,
    LARGEST_STACK_BYTES,
    best_of,
    fit_together,
    gains,
    largest_activation_bytes,
    spread,
)

CELLS: dict[str, tuple[AnyCell, ...]] = {
    "dense": (Dense(units=12), Dense(units=9)),
    "convolution": (Convolution(channels=4), MaxPool(), Convolution(channels=6)),
    "separable": (Convolution(channels=4), DepthwiseSeparable(channels=6, squeeze_excite=True)),
    "residual": (Residual(channels=4, stride=(2, 2)), Residual(channels=4), GlobalAveragePool()),
    "inverted": (Convolution(channels=3), InvertedResidual(channels=3), GlobalAveragePool()),
}


def network(kind: str, seed: int) -> nn.Module:
    spec = NetworkSpec(name=kind, input_shape=(8, 8, 1), cells=(*CELLS[kind], Logits(units=10)))
    return build(spec, seed)


@cache
def digits(count: int = 96) -> Dataset:
    data = load(DataOptions())
    parts = {
        n: Split(getattr(data, n).x[:count], getattr(data, n).labels[:count])
        for n in ("train", "validation")
    }
    return dataclasses.replace(data, **parts)


def alone(run: Run, options: TrainOptions) -> TrainedNetwork:
    own = {"seed": run.seed, "learning_rate": run.learning_rate}
    return fit(run.network, digits(), options.model_copy(update=own))


def runs(kind: str, rates: tuple[float, ...] = (1e-2, 1e-3, 3e-3)) -> list[Run]:
    return [Run(network(kind, seed), seed, rate) for seed, rate in enumerate(rates)]


def trained(outcomes: tuple[TrainedNetwork | TrainingError, ...]) -> list[TrainedNetwork]:
    assert all(isinstance(outcome, TrainedNetwork) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, TrainedNetwork)]


@pytest.mark.parametrize("kind", sorted(CELLS))
def test_each_network_is_what_training_alone_gives(kind: str) -> None:
    """Weights, statistics of batch normalization and the losses, over the first steps."""
    options = TrainOptions(epochs=1, schedule=Schedule.COSINE)
    for run, found in zip(
        runs(kind), trained(fit_stacked(runs(kind), digits(), options)), strict=True
    ):
        wanted = alone(run, options)
        assert found.history[0].train_loss == pytest.approx(wanted.history[0].train_loss, rel=1e-4)
        assert found.history[0].learning_rate == wanted.history[0].learning_rate
        start, states = run.network.state_dict(), (found.network, wanted.network)
        for name, value in states[1].state_dict().items():
            result = states[0].state_dict()[name]
            # Adam's first steps are about +-rate: of a gradient near 0, rounding sets the sign.
            moved = (value - start[name]).double().abs().mean()
            differences = (result - value).double().abs().flatten()
            assert differences.median() <= 0.05 * moved + 1e-6, name


@pytest.mark.parametrize(
    "augmentation", [Augmentation.NONE, (Augmentation.SHIFT, Augmentation.MIXUP)]
)
def test_every_network_draws_its_own_batches_and_augmentation(
    augmentation: Augmentation | tuple[Augmentation, ...],
) -> None:
    options = TrainOptions(epochs=2, augmentation=augmentation)
    found = trained(fit_stacked(runs("convolution"), digits(), options))
    for run, result in zip(runs("convolution"), found, strict=True):
        losses = [e.train_loss for e in alone(run, options).history]
        assert [e.train_loss for e in result.history] == pytest.approx(losses, rel=1e-3)


def test_results_are_bit_identical() -> None:
    options = TrainOptions(epochs=2)
    torch.manual_seed(1)
    first = trained(fit_stacked(runs("convolution"), digits(), options))
    torch.manual_seed(2)
    again = trained(fit_stacked(runs("convolution"), digits(), options))
    for one, other in zip(first, again, strict=True):
        assert one.history == other.history
        states = one.network.state_dict(), other.network.state_dict()
        assert all(torch.equal(states[0][n], states[1][n]) for n in states[0])


def test_given_networks_are_left_as_they_were() -> None:
    given = runs("convolution")
    before = [{n: v.clone() for n, v in r.network.state_dict().items()} for r in given]
    fit_stacked(given, digits(), TrainOptions(epochs=1))
    for run, state in zip(given, before, strict=True):
        assert all(torch.equal(v, state[n]) for n, v in run.network.state_dict().items())


def test_batch_normalization_has_statistics_for_each_network() -> None:
    networks = [nn.Sequential(nn.BatchNorm2d(2)) for _ in range(3)]
    batches = [torch.randn(5, 2, 4, 4) * scale + scale for scale in (1.0, 2.0, 3.0)]
    stacked = stack(networks, torch.device("cpu"))
    outputs = forward(stacked, side_by_side(batches), training=True)
    for index, (single, x) in enumerate(zip(networks, batches, strict=True)):
        torch.testing.assert_close(outputs[index], single.train()(x))
        for name, value in state_of(stacked, index).items():
            torch.testing.assert_close(value, single.state_dict()[name])


@pytest.mark.parametrize("kind", sorted(CELLS))
def test_outputs_and_gradients_are_those_of_each_network_in_double_precision(kind: str) -> None:
    networks = [network(kind, seed).double() for seed in range(3)]
    batches = [torch.randn(4, 1, 8, 8, dtype=torch.float64) for _ in networks]
    stacked = stack(networks, torch.device("cpu"))
    outputs = forward(stacked, side_by_side(batches), training=True)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), stacked.values)
    for index, (single, x) in enumerate(zip(networks, batches, strict=True)):
        wanted = single.train()(x)
        torch.testing.assert_close(outputs[index], wanted)
        parts = torch.autograd.grad(wanted.square().sum(), list(single.parameters()))
        torch.testing.assert_close(gradient[index], torch.cat([p.flatten() for p in parts]))


@pytest.mark.parametrize("kind", sorted(CELLS))
def test_no_layer_falls_back_to_a_loop_over_networks(kind: str) -> None:
    """functorch warns where it has no rule for an operator."""
    stacked = stack([network(kind, seed) for seed in range(3)], torch.device("cpu"))
    x = side_by_side([torch.randn(4, 1, 8, 8)] * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forward(stacked, x, training=True).sum().backward()


def test_a_training_that_diverges_leaves_the_others_alone() -> None:
    class Steep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.flatten(1)).pow(5)

    torch.manual_seed(0)
    given = [Run(Steep(), 0, 1e-3), Run(Steep(), 1, 1e8), Run(Steep(), 2, 1e-3)]
    outcomes = fit_together(given, digits(), TrainOptions(epochs=2, sanity_checks=False))
    assert isinstance(outcomes[1], TrainingError)
    assert isinstance(outcomes[0], TrainedNetwork)
    found = spread(outcomes)
    assert (found.trained, found.failed) == (2, 1)
    assert best_of(outcomes)[0] in (0, 2)
    with pytest.raises(TrainingError, match="loss became"):
        best_of((outcomes[1],))


def test_patience_ends_each_network_where_it_would_end_alone() -> None:
    options = TrainOptions(epochs=8, patience=1)
    rates = (2e-2, 1e-4)
    found = trained(fit_stacked(runs("dense", rates), digits(), options))
    for run, result in zip(runs("dense", rates), found, strict=True):
        wanted = alone(run, options)
        assert len(result.history) == len(wanted.history)
        assert result.best_epoch == wanted.best_epoch


def test_several_widths_and_seeds_keep_their_order() -> None:
    def wide(units: int, seed: int) -> Run:
        spec = NetworkSpec(
            name="d", input_shape=(8, 8, 1), cells=(Dense(units=units), Logits(units=10))
        )
        return Run(build(spec, seed), seed, 1e-2)

    given = [wide(8, 0), wide(12, 0), wide(8, 1), wide(12, 1), wide(5, 0)]
    options = TrainOptions(epochs=2)
    found = trained(fit_together(given, digits(), options))
    for run, result in zip(given, found, strict=True):
        assert same_structure(result.network, run.network)
        wanted = alone(run, options).history[-1].train_loss
        assert result.history[-1].train_loss == pytest.approx(wanted, rel=1e-3)


def test_networks_that_gain_nothing_train_one_after_another_and_say_so() -> None:
    told: list[ProgressEvent] = []
    options = TrainOptions(epochs=1, ema=0.5)
    found = trained(fit_together(runs("dense"), digits(), options, told.append))
    assert "3 networks train one after another" in told[0].message
    assert found[1].history == alone(runs("dense")[1], options).history


def test_a_module_that_looks_at_values_cannot_be_stacked() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.flatten(1)) if float(x.sum()) < 1e9 else x

    assert not can_stack(Branching(), (8, 8, 1))
    assert can_stack(network("residual", 0), (8, 8, 1))
    frozen = network("dense", 0)
    next(frozen.parameters()).requires_grad_(False)
    assert not can_stack(frozen, (8, 8, 1))


def test_the_rule_bounds_what_lies_in_memory() -> None:
    options = TrainOptions()
    assert gains(LARGEST_ACTIVATION_BYTES + 1, options) == 1
    for size in (64, 4096, LARGEST_ACTIVATION_BYTES):
        assert size * gains(size, options) <= LARGEST_STACK_BYTES
    cuda = options.model_copy(update={"device": ComputeDevice.CUDA})
    assert gains(LARGEST_ACTIVATION_BYTES + 1, cuda) > 1000


def test_the_largest_activation_is_found() -> None:
    assert largest_activation_bytes(network("convolution", 0), digits(), 32) == 4 * 8 * 8 * 4 * 32


def test_the_spread_is_that_of_the_scores() -> None:
    outcomes = fit_together(runs("dense"), digits(), TrainOptions(epochs=2))
    scores = [outcome.validation_score for outcome in trained(outcomes)]
    found = spread(outcomes)
    assert found.mean == pytest.approx(np.mean(scores))
    assert found.deviation == pytest.approx(np.std(scores, ddof=1))
    assert found.best == max(scores) == best_of(outcomes)[1].validation_score
