from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgeflow.errors import ModelError
from edgeflow.grow import tiny
from edgeflow.grow.propose import grown
from edgeflow.grow.sites import Site, Width, sites
from edgeflow.grow.widen import Neurons, renormalized, widen
from edgeflow.grow.wiring import wiring
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    AveragePool,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    MaxPool,
    Residual,
)
from tests.grow.networks import OBJECTIVE, SPECS, samples, spec_of, trained_a_little

sizes = st.integers(1, 5)
strides = st.tuples(st.integers(1, 2), st.integers(1, 2))
kernels = st.sampled_from([(1, 1), (3, 3), (3, 1), (5, 3)])
bodies = st.lists(
    st.one_of(
        st.builds(Convolution, channels=sizes, kernel=kernels, stride=strides),
        st.builds(DepthwiseSeparable, channels=sizes, kernel=kernels, stride=strides),
        st.builds(
            Residual,
            channels=sizes,
            kernel=kernels,
            stride=strides,
            inner_channels=st.none() | sizes,
            squeeze_excite=st.booleans(),
        ),
        st.builds(
            InvertedResidual,
            channels=sizes,
            expansion=st.integers(1, 3),
            kernel=kernels,
            stride=strides,
        ),
        st.sampled_from([MaxPool(kernel=(1, 2), stride=(1, 2)), AveragePool(kernel=(2, 1))]),
    ),
    min_size=1,
    max_size=3,
)
heads = st.sampled_from(
    [(), (GlobalAveragePool(),), (Dense(units=5),), (GlobalAveragePool(), Dense(units=3))]
)


def spec_if_it_fits(cells: tuple[AnyCell, ...]) -> NetworkSpec | None:
    try:
        return spec_of(*cells)
    except ModelError:
        return None


def with_random_norms(network: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return torch.rand(like.shape, generator=generator) * (high - low) + low

    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean = uniform(module.bias, -2.0, 2.0)
            module.running_var = uniform(module.bias, 0.1, 4.0)
            module.weight.data = uniform(module.bias, 0.5, 1.5)
            module.bias.data = uniform(module.bias, -1.0, 1.0)
    return network.eval()


@settings(max_examples=40, deadline=None)
@given(bodies, heads, st.integers(0, 1000), st.integers(1, 4), st.data())
def test_at_amplitude_zero_no_growth_changes_the_logits(
    body: list[AnyCell], head: tuple[AnyCell, ...], seed: int, count: int, data: st.DataObject
) -> None:
    spec = spec_if_it_fits((*body, *head))
    assume(spec is not None and sites(spec))
    assert spec is not None
    site = data.draw(st.sampled_from(sites(spec)))
    network = with_random_norms(build(spec, seed), seed)
    x, y = samples(spec, 24, seed)
    proposal = tiny.propose(
        spec, network, site, x, y, OBJECTIVE, count, torch.Generator().manual_seed(seed)
    )
    _, module = grown(spec, network, proposal, 0.0)
    still = renormalized(module, site, x)
    new, _ = samples(spec, 24, seed + 1)
    with torch.no_grad():
        before = network(new)
        limit = 1e-5 * max(1.0, float(before.abs().max()))
        assert float((module(new) - before).abs().max()) < limit
        assert float((still(new) - before).abs().max()) < limit


def around_norm(network: nn.Module, norm: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a normalization reads and gives."""
    seen: list[Tensor] = []
    handle = network.get_submodule(norm).register_forward_hook(
        lambda _, inputs, output: seen.extend((inputs[0].detach(), output.detach()))
    )
    with torch.no_grad():
        network(x)
    handle.remove()
    return seen[0], seen[1]


@pytest.mark.parametrize("name", SPECS)
def test_new_pre_activations_are_what_the_neurons_say_and_their_statistics_are_measured(
    name: str,
) -> None:
    spec = SPECS[name]
    network = trained_a_little(spec)
    x, y = samples(spec)
    for site in sites(spec):
        proposal = tiny.propose(spec, network, site, x, y, OBJECTIVE, 2, torch.Generator())
        neurons = proposal.neurons
        _, module = widen(spec, network, site, neurons)
        wires = wiring(spec, site)
        assert wires is not None
        given, normed = around_norm(module, wires.producer_norm, x)
        response, evaluated = (t[:, -neurons.count :] for t in (given, normed))
        form = (1, -1, *(1,) * (response.ndim - 2))
        said = response * neurons.scale.reshape(form) + neurons.bias.reshape(form)
        torch.testing.assert_close(evaluated, said, rtol=1e-4, atol=1e-4)
        dimensions = [i for i in range(response.ndim) if i != 1]
        torch.testing.assert_close(neurons.mean, response.mean(dimensions), rtol=1e-3, atol=1e-4)
        variance = response.var(dimensions, correction=0)
        torch.testing.assert_close(neurons.variance, variance, rtol=1e-3, atol=1e-4)


def test_old_weights_stay_and_new_ones_lie_behind_them() -> None:
    spec = spec_of(Convolution(channels=2), MaxPool(), Dense(units=3))
    network = trained_a_little(spec)
    neurons = Neurons(
        incoming=torch.full((1, 2, 3, 3), 2.0),
        scale=torch.ones(1),
        bias=torch.zeros(1),
        mean=torch.zeros(1),
        variance=torch.ones(1),
        outgoing=(torch.arange(3 * 16, dtype=torch.float32).reshape(3, 1, 4, 4),),
    )
    wider, module = widen(spec, network, Site(0, Width.OUTPUT), neurons)
    old, new = network.state_dict(), module.state_dict()
    assert wider.cells[0] == Convolution(channels=3)
    assert torch.equal(new["0.conv.weight"][:2], old["0.conv.weight"])
    assert torch.equal(new["0.conv.weight"][2:], neurons.incoming)
    assert torch.equal(new["2.linear.weight"][:, :32], old["2.linear.weight"])
    assert torch.equal(new["2.linear.weight"][:, 32:], neurons.outgoing[0].flatten(1))
    assert torch.equal(new["3.linear.weight"], old["3.linear.weight"])


def test_norms_behind_take_the_statistics_of_the_samples_and_training_mode_agrees() -> None:
    spec = SPECS["dense"]
    network = with_random_norms(build(spec, 0), 0)
    x, _ = samples(spec)
    renewed = renormalized(network, Site(0, Width.OUTPUT), x)
    with torch.no_grad():
        torch.testing.assert_close(renewed(x), network(x))
        first = renewed.get_submodule("0").eval()(x)
        behind = renewed.get_submodule("1")
        evaluated = behind.eval()(first)
        torch.testing.assert_close(behind.train()(first), evaluated, rtol=1e-3, atol=1e-3)
