"""The gain that a proposal promises is what the network that is built gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgeflow.data.task import Task
from edgeflow.grow.options import GrowthMethod
from edgeflow.grow.proposal import Proposal
from edgeflow.grow.propose import PROPOSERS, grown, mean_loss
from edgeflow.grow.sites import sites
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import Convolution, Dense, Logits
from edgeflow.train.objective import OBJECTIVES
from tests.grow.networks import OBJECTIVE, SPECS, probe_of, samples, trained_a_little

AMPLITUDE = 1e-6


def measured_gain(spec: NetworkSpec, network: nn.Module, proposal: Proposal) -> float:
    x, y = samples(spec)
    losses = [
        mean_loss(grown(spec, network, proposal, a)[1], x.double(), y, OBJECTIVE)
        for a in (0.0, AMPLITUDE)
    ]
    return (losses[0] - losses[1]) / AMPLITUDE


@pytest.mark.parametrize("method", GrowthMethod)
@pytest.mark.parametrize("name", SPECS)
def test_the_measured_change_of_the_loss_is_the_predicted_gain(
    name: str, method: GrowthMethod
) -> None:
    spec = SPECS[name]
    network = trained_a_little(spec).double()
    x, y = samples(spec)
    for site in sites(spec):
        generator = torch.Generator().manual_seed(3)
        proposal = PROPOSERS[method](spec, network, site, x, y, OBJECTIVE, 2, generator)
        measured = measured_gain(spec, network, proposal)
        assert measured == pytest.approx(proposal.total_gain, rel=0.05)


@pytest.mark.parametrize("name", SPECS)
def test_amplitude_one_adds_as_much_as_there_is(name: str) -> None:
    spec = SPECS[name]
    network = trained_a_little(spec).double()
    x, y = samples(spec)
    for site in sites(spec):
        proposal = PROPOSERS[GrowthMethod.GRADMAX](
            spec, network, site, x, y, OBJECTIVE, 2, torch.Generator()
        )
        pairs = (spec, network), grown(spec, network, proposal, 1.0)
        before, after = (next(probe_of(s, n, site).batches()) for s, n in pairs)
        added = sum(
            float((b.outputs - a.outputs).square().mean((0, 2, 3)).sum())
            for a, b in zip(before.readings, after.readings, strict=True)
        )
        existing = sum(float(r.outputs.var((0, 2, 3), correction=0).sum()) for r in before.readings)
        assert added == pytest.approx(existing, rel=1e-6)


def test_every_neuron_of_tiny_and_gradmax_promises_a_gain_before_relu() -> None:
    """The better sign has at least half of the linear neuron's gain, so each count gains more."""
    spec = SPECS["dense"]
    network = trained_a_little(spec)
    x, y = samples(spec)
    for method in (GrowthMethod.TINY, GrowthMethod.GRADMAX):
        for site in sites(spec):
            proposal = PROPOSERS[method](spec, network, site, x, y, OBJECTIVE, 1, torch.Generator())
            assert proposal.gain > 0


@pytest.mark.parametrize("task", [Task.REGRESSION, Task.ANOMALY])
def test_gains_of_other_tasks_are_measured_as_well(task: Task) -> None:
    outputs = 2 if task is Task.REGRESSION else 8 * 6
    spec = NetworkSpec(
        name="test",
        input_shape=(8, 6, 1),
        cells=(Convolution(channels=3, stride=(2, 2)), Dense(units=4), Logits(units=outputs)),
    )
    network = build(spec, 0).double().eval()
    x = torch.randn(40, 1, 8, 6, generator=torch.Generator().manual_seed(0))
    targets = x.flatten(1)[:, :outputs].contiguous()
    for site in sites(spec):
        proposal = PROPOSERS[GrowthMethod.TINY](
            spec, network, site, x, targets, OBJECTIVES[task], 2, torch.Generator()
        )
        losses = [
            mean_loss(grown(spec, network, proposal, a)[1], x.double(), targets, OBJECTIVES[task])
            for a in (0.0, AMPLITUDE)
        ]
        measured = (losses[0] - losses[1]) / AMPLITUDE
        assert measured == pytest.approx(proposal.total_gain, rel=0.05)
