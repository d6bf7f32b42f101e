from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgeflow.grow.blocks import AdaptedNetwork, ends_of_blocks, in_blocks, widened
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.registry import NETWORKS, specify
from edgeflow.nets.specs import (
    Bottleneck,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    MaxPool,
    Residual,
)
from tests.grow.trained_like import as_if_trained, batch, network_specs, spec_of


def adapted(spec: NetworkSpec, seed: int) -> AdaptedNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        thin = as_if_trained(build(spec, seed), seed, 0.0)
        return AdaptedNetwork(spec, thin, widened(spec, 2)).eval()


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.state_dict().items()}


@settings(max_examples=40, deadline=None)
@given(network_specs, st.integers(0, 1000))
def test_a_merged_network_computes_what_the_adapted_one_does(spec: NetworkSpec, seed: int) -> None:
    network = adapted(spec, seed)
    merged = network.merged()
    assert shapes(merged) == shapes(build(spec, 0))
    x = batch(spec, 8, seed)
    with torch.no_grad():
        expected, given_ = network(x), merged.eval()(x)
    scale = max(1.0, float(expected.abs().max()))
    assert float((given_ - expected).abs().max()) < 1e-4 * scale


@pytest.mark.parametrize("name", NETWORKS)
def test_reference_networks_merge_to_their_own_specification(name: str) -> None:
    spec = specify(name, (32, 32, 3), 10)
    network = adapted(spec, 0)
    merged = network.merged()
    assert shapes(merged) == shapes(build(spec, 0))
    x = batch(spec, 2, 0)
    with torch.no_grad():
        expected, given_ = network(x), merged.eval()(x)
    scale = max(1.0, float(expected.abs().max()))
    assert float((given_ - expected).abs().max()) < 1e-4 * scale


def test_merging_leaves_the_adapted_network_as_it_was() -> None:
    network = adapted(spec_of(Convolution(channels=3), Dense(units=4)), 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.merged()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_maps_stand_only_before_blocks_that_mix_the_channels_of_their_input() -> None:
    spec = spec_of(
        Convolution(channels=4),
        MaxPool(),
        DepthwiseSeparable(channels=4),  # depthwise first
        Residual(channels=4),  # adds its input
        Residual(channels=6),
        InvertedResidual(channels=6),  # adds its input
        InvertedResidual(channels=5),
        InvertedResidual(channels=6, expansion=1),  # depthwise first
        Bottleneck(channels=6, inner_channels=2),  # adds its input
        Bottleneck(channels=5, inner_channels=2),
        GlobalAveragePool(),
        Dense(units=3),
    )
    network = adapted(spec, 0)
    entered = [network.is_entered(i) for i in range(len(network.blocks))]
    assert entered == [False, False, False, True, False, True, False, False, True, True, True]


def test_a_block_is_a_cell_with_weights_and_the_poolings_behind_it() -> None:
    spec = spec_of(MaxPool(kernel=(1, 1)), Convolution(channels=4), MaxPool(), Dense(units=3))
    assert ends_of_blocks(spec) == (3, 4, 5)
    network = build(spec, 0)
    blocks = in_blocks(spec, network)
    assert [len(block) for block in blocks] == [3, 1, 1]
    x = batch(spec, 4, 0)
    with torch.no_grad():
        assert torch.equal(nn.Sequential(*blocks).eval()(x), network.eval()(x))


def test_a_map_that_starts_between_blocks_changes_nothing() -> None:
    spec = spec_of(Convolution(channels=3), Convolution(channels=4))
    network = adapted(spec, 0)
    for index in (1, 2):
        network.start_between(index)
    thin = nn.Sequential(*(cell for block in network.blocks for cell in block))
    x = batch(spec, 4, 0)
    with torch.no_grad():
        torch.testing.assert_close(network(x), thin(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_widened_twin_has_as_many_times_the_channels_in_every_block(name: str) -> None:
    spec = specify(name, (32, 32, 3), 10)
    twin = widened(spec, 3)
    for thin, wide in zip(spec.shapes()[1:-1], twin.shapes()[1:-1], strict=True):
        assert wide == (*thin[:2], 3 * thin[2])
    assert twin.outputs == spec.outputs
    assert twin.input_shape == spec.input_shape


def test_inner_channels_widen_too() -> None:
    cells = (
        Residual(channels=4, inner_channels=3),
        InvertedResidual(channels=4, inner_channels=5),
        Bottleneck(channels=4, inner_channels=2),
    )
    twin = widened(spec_of(*cells), 2)
    assert [cell.inner_channels for cell in twin.cells[:3]] == [6, 10, 4]
