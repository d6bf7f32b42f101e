from __future__ import annotations

import dataclasses
import statistics
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset, prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.grow.options import GrowthMethod
from edgeflow.grow.propose import (
    PROPOSERS,
    apply,
    best_amplitude,
    grown,
    mean_loss,
)
from edgeflow.grow.sites import Site, Width, sites
from edgeflow.nets.layout import network_input
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import Convolution, Dense, GlobalAveragePool, Logits
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions
from tests.grow.networks import OBJECTIVE, SPECS, samples, trained_a_little

DENSE = NetworkSpec(
    name="dense",
    input_shape=(8, 8, 1),
    cells=(Dense(units=4), Dense(units=4), Logits(units=10)),
)
CONVOLUTIONAL = NetworkSpec(
    name="convolutional",
    input_shape=(8, 8, 1),
    cells=(
        Convolution(channels=3, stride=(2, 2)),
        Convolution(channels=4, stride=(2, 2)),
        GlobalAveragePool(),
        Logits(units=10),
    ),
)


@cache
def digits() -> Dataset:
    return load(DataOptions())


@cache
def training_samples() -> tuple[Tensor, Tensor]:
    dataset = digits()
    part = dataset.train.select(np.arange(400))
    x = network_input(prepare(dataset.preprocessing, part.x))
    return x, OBJECTIVE.targets(part, x)


@cache
def trained(spec: NetworkSpec, seed: int) -> nn.Module:
    return fit(build(spec, seed), digits(), TrainOptions(epochs=3, seed=seed)).network


def loss_after_growth(spec: NetworkSpec, site: Site, method: GrowthMethod, seed: int) -> float:
    x, y = training_samples()
    network = trained(spec, seed)
    proposal = PROPOSERS[method](
        spec, network, site, x, y, OBJECTIVE, 2, torch.Generator().manual_seed(seed)
    )
    _, module = apply(spec, network, proposal, x, y, OBJECTIVE)
    return mean_loss(module, x, y, OBJECTIVE)


@pytest.mark.parametrize("spec", [DENSE, CONVOLUTIONAL], ids=lambda spec: spec.name)
def test_directly_after_growth_tiny_is_below_gradmax_and_gradmax_below_random(
    spec: NetworkSpec,
) -> None:
    site = Site(1, Width.OUTPUT)
    mean = {
        method: statistics.fmean(loss_after_growth(spec, site, method, seed) for seed in range(10))
        for method in GrowthMethod
    }
    assert mean[GrowthMethod.TINY] <= mean[GrowthMethod.GRADMAX] <= mean[GrowthMethod.RANDOM]


@pytest.mark.parametrize("method", GrowthMethod)
@pytest.mark.parametrize("name", SPECS)
def test_growth_never_raises_the_loss_on_its_samples(name: str, method: GrowthMethod) -> None:
    spec = SPECS[name]
    network = trained_a_little(spec)
    x, y = samples(spec)
    site = sites(spec)[-1]
    proposal = PROPOSERS[method](
        spec, network, site, x, y, OBJECTIVE, 2, torch.Generator().manual_seed(0)
    )
    _, module = apply(spec, network, proposal, x, y, OBJECTIVE)
    assert mean_loss(module, x, y, OBJECTIVE) <= mean_loss(network, x, y, OBJECTIVE) + 1e-6


def test_the_amplitude_is_zero_where_every_other_is_worse() -> None:
    """Neurons that raise the loss: a proposal with its outgoing weights turned round."""
    spec = SPECS["dense"]
    network = trained_a_little(spec)
    x, y = samples(spec)
    proposal = PROPOSERS[GrowthMethod.GRADMAX](
        spec, network, sites(spec)[1], x, y, OBJECTIVE, 1, torch.Generator()
    )
    assert best_amplitude(spec, network, proposal, x, y, OBJECTIVE) > 0
    turned = dataclasses.replace(proposal, neurons=proposal.neurons.times(-1.0))
    assert best_amplitude(spec, network, turned, x, y, OBJECTIVE) == 0.0


def test_a_line_search_finds_the_lowest_of_many_amplitudes() -> None:
    spec = SPECS["dense"]
    network = trained_a_little(spec)
    x, y = samples(spec)
    proposal = PROPOSERS[GrowthMethod.TINY](
        spec, network, sites(spec)[1], x, y, OBJECTIVE, 2, torch.Generator()
    )

    def loss(amplitude: float) -> float:
        return mean_loss(grown(spec, network, proposal, amplitude)[1], x, y, OBJECTIVE)

    found = loss(best_amplitude(spec, network, proposal, x, y, OBJECTIVE))
    assert found <= min(loss(k / 25) for k in range(101)) + 1e-4


def test_training_goes_on_after_growth_and_the_modules_mode_is_kept() -> None:
    x, y = training_samples()
    spec, network = CONVOLUTIONAL, trained(CONVOLUTIONAL, 0)
    before = mean_loss(network, x, y, OBJECTIVE)
    for site in sites(spec):
        proposal = PROPOSERS[GrowthMethod.TINY](
            spec, network, site, x, y, OBJECTIVE, 2, torch.Generator()
        )
        spec, network = apply(spec, network, proposal, x, y, OBJECTIVE)
        assert not network.training
    after = mean_loss(network, x, y, OBJECTIVE)
    more = fit(network, digits(), TrainOptions(epochs=2, seed=1, learning_rate=3e-3))
    assert mean_loss(more.network, x, y, OBJECTIVE) < after < before


def test_growth_is_bit_identical_and_leaves_the_network_alone() -> None:
    spec = SPECS["inverted residual"]
    network = trained_a_little(spec)
    x, y = samples(spec)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for method in GrowthMethod:
        states = []
        for _ in range(2):
            proposal = PROPOSERS[method](
                spec, network, sites(spec)[0], x, y, OBJECTIVE, 2, torch.Generator().manual_seed(7)
            )
            states.append(apply(spec, network, proposal, x, y, OBJECTIVE)[1].state_dict())
        assert all(
            torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True)
        )
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_training_mode_keeps_what_growth_gained() -> None:
    """With the old statistics behind the site, batches would be normalized back."""
    x, y = training_samples()
    network = trained(CONVOLUTIONAL, 0)
    before = mean_loss(network, x, y, OBJECTIVE)
    proposal = PROPOSERS[GrowthMethod.TINY](
        CONVOLUTIONAL, network, Site(0, Width.OUTPUT), x, y, OBJECTIVE, 2, torch.Generator()
    )
    _, module = apply(CONVOLUTIONAL, network, proposal, x, y, OBJECTIVE)
    after = mean_loss(module, x, y, OBJECTIVE)
    with torch.no_grad():
        in_training = OBJECTIVE.loss(module.train()(x), y, 0.0).item()
    assert after < before
    assert abs(in_training - after) < 0.2 * (before - after)
