from __future__ import annotations

import dataclasses
from functools import cache, partial

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import ModelError
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.registry import NETWORKS, specify
from edgeflow.nets.specs import (
    AnyCell,
    Bottleneck,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    GroupedConvolution,
    InvertedResidual,
    Logits,
    MaxPool,
    Residual,
)
from edgeflow.train.fit import fit
from edgeflow.train.kd_ticket import kd_ticket
from edgeflow.train.options import TrainOptions
from edgeflow.train.prune import baked, magnitude_masks, masked, zero_fraction
from edgeflow.train.prune_channels import Kept, Place, least_important_go, narrow, places
from edgeflow.train.retrain import (
    DenseTraining,
    after_epochs,
    fine_tune,
    rewind_learning_rate,
    rewind_weights,
)


@cache
def digits() -> Dataset:
    data = load(DataOptions())
    parts = {
        n: Split(getattr(data, n).x[:256], getattr(data, n).labels[:256])
        for n in ("train", "validation")
    }
    return dataclasses.replace(data, **parts)


def sequence(spec: NetworkSpec, seed: int = 0) -> nn.Sequential:
    network = build(spec, seed)
    assert isinstance(network, nn.Sequential)
    return network


SPEC = specify("small", (8, 8, 1), 10)


@cache
def dense() -> DenseTraining:
    options = TrainOptions(epochs=6)
    return DenseTraining(
        sequence(SPEC), fit(sequence(SPEC), digits(), options).network, digits(), options
    )


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5])
def test_the_smallest_weights_of_all_layers_go(sparsity: float) -> None:
    network = sequence(SPEC)
    masks = magnitude_masks(network, sparsity)
    pruned = baked(masked(network, masks))
    assert zero_fraction(pruned) == pytest.approx(sparsity, abs=1e-3)
    sizes = {n: network.get_submodule(n).weight.abs() for n in masks}
    gone = torch.cat([sizes[n][m == 0] for n, m in masks.items()])
    stay = torch.cat([sizes[n][m == 1] for n, m in masks.items()])
    if len(gone):
        assert gone.max() <= stay.min()


def test_every_output_keeps_its_largest_weight() -> None:
    network = sequence(SPEC)
    masks = magnitude_masks(network, 0.99)
    for name, mask in masks.items():
        weight = network.get_submodule(name).weight.abs().flatten(1)
        kept = (weight * mask.flatten(1)).amax(dim=1)
        assert torch.equal(kept, weight.amax(dim=1))


def test_pruned_weights_stay_zero_in_training_and_the_rest_moves() -> None:
    masks = magnitude_masks(dense().trained, 0.5)
    pruned = masked(dense().trained, masks)
    result = baked(fit(pruned, digits(), TrainOptions(epochs=1, ema=0.5)).network)
    for name, mask in masks.items():
        weight = result.get_submodule(name).weight
        assert torch.equal(weight == 0, mask == 0)
        assert not torch.equal(weight, dense().trained.get_submodule(name).weight * mask)
    assert result.state_dict().keys() == dense().trained.state_dict().keys()


def without(spec: NetworkSpec, network: nn.Sequential, kept: Kept) -> nn.Sequential:
    """The network with zeros where channels go: after their normalization, and in what follows."""
    for (index, place), stay in kept.items():
        cell, state = spec.cells[index], network[index].state_dict()
        channels = len(next(v for n, v in state.items() if n in FIRST[type(cell), place]))
        gone = torch.ones(channels, dtype=torch.bool)
        gone[stay] = False
        for name in NORMS[type(cell), place]:
            if f"{name}.bias" in state:
                state[f"{name}.bias"][gone] = 0.0
                state[f"{name}.weight"][gone] = 0.0
        after = next(
            (i for i in range(index + 1, len(spec.cells)) if list(network[i].parameters())), None
        )
        if place is Place.OUTPUTS and after is not None:
            following = network[after].state_dict()
            for name in ("depthwise_norm", "depthwise.1"):
                bias = following.get(f"{name}.bias")
                if bias is not None and len(bias) == channels and "expand.1.bias" not in following:
                    bias[gone] = 0.0
                    following[f"{name}.weight"][gone] = 0.0
    return network


FIRST = {
    (Convolution, Place.OUTPUTS): ("norm.weight",),
    (DepthwiseSeparable, Place.OUTPUTS): ("pointwise_norm.weight",),
    (Dense, Place.OUTPUTS): ("norm.weight",),
    (Residual, Place.INNER): ("first_norm.weight",),
    (Residual, Place.OUTPUTS): ("second_norm.weight",),
    (InvertedResidual, Place.INNER): ("expand.1.weight",),
    (InvertedResidual, Place.OUTPUTS): ("project.1.weight",),
    (Bottleneck, Place.INNER): ("reduce_norm.weight",),
    (Bottleneck, Place.OUTPUTS): ("expand_norm.weight",),
}
NORMS = {
    (Convolution, Place.OUTPUTS): ("norm",),
    (DepthwiseSeparable, Place.OUTPUTS): ("pointwise_norm",),
    (Dense, Place.OUTPUTS): ("norm",),
    (Residual, Place.INNER): ("first_norm",),
    (Residual, Place.OUTPUTS): ("second_norm", "shortcut"),
    (InvertedResidual, Place.INNER): ("expand.1", "depthwise.1"),
    (InvertedResidual, Place.OUTPUTS): ("project.1",),
    (Bottleneck, Place.INNER): ("reduce_norm", "middle_norm"),
    (Bottleneck, Place.OUTPUTS): ("expand_norm", "shortcut"),
}

sizes = st.integers(1, 6)
strides = st.tuples(st.integers(1, 2), st.integers(1, 2))
cells = st.one_of(
    st.builds(Convolution, channels=sizes, stride=strides),
    st.builds(GroupedConvolution, channels=st.sampled_from([2, 4, 6]), groups=st.just(2)),
    st.builds(DepthwiseSeparable, channels=sizes, stride=strides, squeeze_excite=st.booleans()),
    st.builds(Residual, channels=sizes, stride=strides, squeeze_excite=st.booleans()),
    st.builds(
        InvertedResidual,
        channels=sizes,
        expansion=st.integers(1, 3),
        inner_channels=st.none() | sizes,
        squeeze_excite=st.booleans(),
    ),
    st.builds(Bottleneck, channels=sizes, inner_channels=sizes, stride=strides),
    st.just(MaxPool(kernel=(1, 2), stride=(1, 2))),
)


def spec_if_it_fits(body: tuple[AnyCell, ...]) -> NetworkSpec | None:
    try:
        return NetworkSpec(
            name="test", input_shape=(8, 8, 2), cells=(*body, Dense(units=5), Logits(units=3))
        )
    except ModelError:
        return None


@settings(max_examples=40, deadline=None)
@given(body=st.lists(cells, min_size=1, max_size=4), sparsity=st.sampled_from([0.3, 0.5, 0.9]))
def test_channels_that_give_nothing_go_without_a_change_of_outputs(
    body: list[AnyCell], sparsity: float
) -> None:
    spec = spec_if_it_fits(tuple(body))
    assume(spec is not None)
    assert spec is not None
    network = as_if_trained(sequence(spec))
    kept = least_important_go(spec, network, sparsity)
    assert set(kept) == set(places(spec))
    zeroed = without(spec, network, kept)
    smaller, module = narrow(spec, zeroed, kept)
    x = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(module(x), zeroed(x), atol=1e-4, rtol=1e-4)
    assert smaller.outputs == spec.outputs
    assert [type(c) for c in smaller.cells] == [type(c) for c in spec.cells]


def as_if_trained(network: nn.Sequential) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for value, low in (
                (module.weight, 0.5),
                (module.running_var, 0.5),
                (module.bias, -0.5),
            ):
                value.data = low + torch.rand(value.shape, generator=generator)
    return network.eval()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_half_of_the_channels_is_about_half_of_each_layer_and_less_of_its_weights(
    name: str,
) -> None:
    spec = specify(name, (32, 32, 3), 10)
    network = sequence(spec)
    smaller, module = narrow(spec, network, least_important_go(spec, network, 0.5))
    counts = [sum(p.numel() for p in n.parameters()) for n in (module, network)]
    assert counts[0] < 0.5 * counts[1]
    assert build(smaller, 0).state_dict().keys() == module.state_dict().keys()


def test_a_residual_that_adds_its_input_keeps_its_stream() -> None:
    spec = NetworkSpec(
        name="test",
        input_shape=(8, 8, 1),
        cells=(
            Convolution(channels=8),
            Residual(channels=8),
            GlobalAveragePool(),
            Logits(units=3),
        ),
    )
    smaller, _ = narrow(spec, sequence(spec), least_important_go(spec, sequence(spec), 0.5))
    assert smaller.cells[0] == Convolution(channels=8)
    assert smaller.cells[1] == Residual(channels=8, inner_channels=4)


def test_inside_a_bottleneck_the_channels_go_whose_two_filters_are_least_together() -> None:
    spec = NetworkSpec(
        name="test",
        input_shape=(8, 8, 1),
        cells=(Bottleneck(channels=8, inner_channels=4), Logits(units=3)),
    )
    network = sequence(spec)
    state = network[0].state_dict()
    sizes = {"reduce": (9.0, 1.0, 5.0, 2.0), "middle": (1.0, 1.0, 5.0, 9.0)}
    for name, norms in sizes.items():
        weight = state[f"{name}.weight"]
        weight.div_(weight.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1))
        state[f"{name}_norm.weight"].copy_(torch.tensor(norms))
    kept = least_important_go(spec, network, 0.5)
    assert kept[0, Place.INNER].tolist() == [2, 3]
    smaller, module = narrow(spec, network, kept)
    assert smaller.cells[0] == Bottleneck(channels=4, inner_channels=2)
    middle = module.state_dict()["0.middle.weight"]
    assert torch.equal(middle, state["middle.weight"][[2, 3]][:, [2, 3]])


def test_a_cell_never_begins_to_add_its_input() -> None:
    spec = NetworkSpec(
        name="test",
        input_shape=(8, 8, 1),
        cells=(Convolution(channels=8), Residual(channels=4), Logits(units=3)),
    )
    smaller, module = narrow(spec, sequence(spec), least_important_go(spec, sequence(spec), 0.5))
    assert smaller.cells[0] != Convolution(channels=getattr(smaller.cells[1], "channels", 0))
    assert "1.shortcut.weight" in module.state_dict()


def prune_half(network: nn.Module) -> nn.Module:
    assert isinstance(network, nn.Sequential)
    trained = dense().trained
    assert isinstance(trained, nn.Sequential)
    return narrow(SPEC, network, least_important_go(SPEC, trained, 0.5))[1]


@pytest.mark.parametrize(
    "retrain",
    [
        fine_tune,
        rewind_learning_rate,
        partial(rewind_weights, epochs=1),
        partial(kd_ticket, epochs=1, temperature=4.0, soft_weight=0.9),
    ],
)
def test_retraining_repairs_what_pruning_broke(retrain: partial[object]) -> None:
    from edgeflow.train.fit import TrainedNetwork
    from edgeflow.train.options import TrainOptions as Options

    before = fit(prune_half(dense().trained), digits(), Options(epochs=1, learning_rate=1e-9))
    result = retrain(dense(), prune_half)
    assert isinstance(result, TrainedNetwork)
    assert result.validation_score > before.validation_score + 0.1


def test_weights_are_rewound_to_what_they_were() -> None:
    """The first epochs of a training stopped early are those of the whole training."""
    early = after_epochs(dense(), 2)
    seen: list[torch.Tensor] = []
    again = after_epochs(dense(), 2)
    assert all(torch.equal(early.state_dict()[n], v) for n, v in again.state_dict().items())
    assert after_epochs(dense(), 0) is dense().untrained
    seen += [
        early.state_dict()["0.conv.weight"],
        after_epochs(dense(), 1).state_dict()["0.conv.weight"],
    ]
    assert not torch.equal(*seen)


def test_a_ticket_without_soft_labels_is_rewinding() -> None:
    ticket = kd_ticket(dense(), prune_half, epochs=1, temperature=4.0, soft_weight=0.0)
    assert ticket.history == rewind_weights(dense(), prune_half, 1).history
