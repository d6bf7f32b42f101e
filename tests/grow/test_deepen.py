from __future__ import annotations

import dataclasses
from functools import cache

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgeflow.data.dataset import Dataset, prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import ModelError
from edgeflow.grow.deepen import Insertion, insert, insertions
from edgeflow.lower.export import lower
from edgeflow.nets.layout import network_input
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
from edgeflow.quantize.flow import quantize
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.train.evaluate import accuracy
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions
from tests.grow.trained_like import as_if_trained, batch, network_specs, spec_of
from tests.lower.integer_runs import integer_output

KINDS = (Convolution, DepthwiseSeparable, Residual, InvertedResidual, Dense)


def change_of_logits(
    spec: NetworkSpec, network: nn.Module, insertion: Insertion, seed: int = 0
) -> float:
    """Largest change on samples that the insertion has not seen and that lie further out."""
    _, deeper = insert(spec, network, insertion, batch(spec, 16, seed))
    x = batch(spec, 16, seed + 1, spread=4.0)
    with torch.no_grad():
        return float((deeper(x) - network(x)).abs().max())


@settings(max_examples=40, deadline=None)
@given(network_specs, st.integers(0, 1000), st.sampled_from([0.0, 1.0, 300.0]), st.data())
def test_no_insertion_changes_the_logits(
    spec: NetworkSpec, seed: int, shift: float, data: st.DataObject
) -> None:
    assume(insertions(spec))
    network = as_if_trained(build(spec, seed), seed, shift)
    insertion = data.draw(st.sampled_from(insertions(spec)))
    assert change_of_logits(spec, network, insertion, seed) < 1e-5


@pytest.mark.parametrize("name", ["small", "mlperf-resnet8", "mlperf-dscnn", "mlperf-autoencoder"])
def test_every_insertion_into_a_reference_network_keeps_its_logits(name: str) -> None:
    spec = specify(name, (16, 12, 3), 10)
    network = as_if_trained(build(spec, 0), 0, 1.0)
    choices = insertions(spec)
    assert choices
    for insertion in choices:
        assert change_of_logits(spec, network, insertion) < 1e-5


def test_insertions_one_after_another_keep_the_logits() -> None:
    spec = specify("small", (8, 8, 1), 10)
    network = as_if_trained(build(spec, 0), 3, 5.0)
    x = batch(spec, 32, 0)
    with torch.no_grad():
        before = network(x)
        for step in range(6):
            choices = insertions(spec)
            spec, network = insert(spec, network, choices[5 * step % len(choices)], x, seed=step)
        assert len(spec.cells) == 11
        assert float((network(x) - before).abs().max()) < 1e-5


def test_what_is_inserted_is_offered_once_for_every_kind_of_cell() -> None:
    spec = spec_of(Convolution(channels=4), GlobalAveragePool(), Dense(units=3))
    offered = {(i.position, type(i.cell)) for i in insertions(spec)}
    kinds = (Convolution, DepthwiseSeparable, Residual, InvertedResidual)
    assert offered == {*((1, kind) for kind in kinds), (2, Dense), (3, Dense)}
    assert len(offered) == len(insertions(spec))


def test_cells_that_clip_are_not_offered_where_the_stream_goes_below_zero() -> None:
    spec = spec_of(Convolution(channels=4), InvertedResidual(channels=4), MaxPool())
    for insertion in insertions(spec):
        clips = not isinstance(insertion.cell, InvertedResidual)
        assert not (clips and insertion.position > 1)
    with pytest.raises(ModelError, match="would clip what is below zero") as caught:
        insert(spec, build(spec, 0), Insertion(2, Convolution(channels=4)), batch(spec, 4, 0))
    assert "insertions(spec)" in caught.value.hint


@pytest.mark.parametrize(
    ("insertion", "reason"),
    [
        (Insertion(0, InvertedResidual(channels=2)), "outside of the positions 1 to 2"),
        (Insertion(3, Dense(units=4)), "outside of the positions 1 to 2"),
        (Insertion(1, Convolution(channels=5)), "does not keep the shape"),
        (Insertion(1, Convolution(channels=4, kernel=(2, 2))), "does not keep the shape"),
        (Insertion(1, MaxPool(kernel=(1, 1), stride=(1, 1))), "no weights"),
        (Insertion(1, DepthwiseSeparable(channels=4, squeeze_excite=True)), "gates"),
        (Insertion(2, Convolution(channels=4, kernel=(1, 1))), "values of another rank"),
    ],
)
def test_what_would_change_the_function_is_refused(insertion: Insertion, reason: str) -> None:
    spec = spec_of(Convolution(channels=4), GlobalAveragePool())
    with pytest.raises(ModelError, match=reason):
        insert(spec, build(spec, 0), insertion, batch(spec, 4, 0))


def test_kernels_and_inner_channels_of_an_insertion_are_the_callers() -> None:
    spec = spec_of(Convolution(channels=4))
    network = as_if_trained(build(spec, 0), 1, 2.0)
    for cell in (
        Convolution(channels=4, kernel=(5, 1)),
        Residual(channels=4, inner_channels=2, squeeze_excite=True),
        InvertedResidual(channels=4, inner_channels=3, expansion=1, squeeze_excite=True),
        Bottleneck(channels=4, inner_channels=3, kernel=(3, 1)),
    ):
        assert change_of_logits(spec, network, Insertion(1, cell)) < 1e-5


def test_cells_that_clip_are_offered_behind_a_bottleneck() -> None:
    spec = spec_of(Bottleneck(channels=4, inner_channels=2))
    assert Convolution in {type(insertion.cell) for insertion in insertions(spec)}
    network = as_if_trained(build(spec, 0), 1, 0.0)
    for insertion in insertions(spec):
        assert change_of_logits(spec, network, insertion) < 1e-5


def inserted(kind: type) -> tuple[nn.Module, int, Tensor, NetworkSpec]:
    """A network with a new cell of that kind, the cell's position, and a batch."""
    spec = spec_of(Convolution(channels=4), GlobalAveragePool(), Dense(units=6))
    network = as_if_trained(build(spec, 0), 0, 1.0)
    insertion = next(i for i in insertions(spec) if isinstance(i.cell, kind))
    x = batch(spec, 32, 0)
    deeper_spec, deeper = insert(spec, network, insertion, x)
    return deeper, insertion.position, x, deeper_spec


def without_gradient(network: nn.Module, position: int, x: Tensor) -> set[str]:
    network.train().zero_grad()
    labels = torch.arange(len(x)) % 4
    nn.functional.cross_entropy(network(x), labels).backward()
    cell = network.get_submodule(str(position))
    grads = {name: p.grad for name, p in cell.named_parameters()}
    return {name for name, grad in grads.items() if grad is None or not grad.any()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_new_parameter_has_a_gradient_at_the_latest_after_one_step(kind: type) -> None:
    network, position, x, _ = inserted(kind)
    idle = without_gradient(network, position, x)
    if kind in (Residual, InvertedResidual):
        last = {Residual: "second_norm", InvertedResidual: "project.1"}[kind]
        names = {name for name, _ in network.get_submodule(str(position)).named_parameters()}
        assert idle == names - {f"{last}.weight", f"{last}.bias"}
    else:
        assert idle == set()
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    assert without_gradient(network, position, x) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_training_mode_is_nearly_the_same_function(kind: type) -> None:
    network, position, x, _ = inserted(kind)
    with torch.no_grad():
        stream = network.eval()[:position](x)
        again = network[position].train()(stream)
    change = again - stream.view_as(again)
    assert float(change.abs().max()) < 1e-2 * float(stream.abs().max())


def test_a_channel_that_is_always_zero_stays_so_and_no_variance_is_negative() -> None:
    spec = spec_of(Convolution(channels=4))
    network = as_if_trained(build(spec, 0), 0, 1.0)
    network[0].norm.weight.data[1], network[0].norm.bias.data[1] = 0.0, -1.0
    x = batch(spec, 16, 0)
    _, deeper = insert(spec, network, Insertion(1, Convolution(channels=4)), x)
    assert float(deeper[1].norm.running_var.min()) >= 0.0
    with torch.no_grad():
        assert torch.equal(deeper(x), network(x))
        assert not deeper[:2](x)[:, 1].any()


def test_the_network_that_grows_is_left_as_it_was() -> None:
    spec = spec_of(Convolution(channels=4))
    network = build(spec, 0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    _, deeper = insert(spec, network, insertions(spec)[0], batch(spec, 8, 0))
    assert network.training
    assert all(module.training for module in deeper.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    shared = {p.data_ptr() for p in network.parameters()} & {
        p.data_ptr() for p in deeper.parameters()
    }
    assert shared == set()


def test_equal_seeds_insert_equal_weights() -> None:
    spec = spec_of(Convolution(channels=4))
    network, x = build(spec, 0), batch(spec, 8, 0)
    residual = Insertion(1, Residual(channels=4))
    one, same, other = (
        insert(spec, network, residual, x, seed)[1][1].first.weight for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@cache
def digits() -> Dataset:
    return load(DataOptions())


def test_a_grown_network_trains_on_and_goes_through_to_the_integer_graph() -> None:
    data = digits()
    data = dataclasses.replace(
        data, **{part: getattr(data, part).select(slice(0, 300)) for part in ("train", "test")}
    )
    spec = specify("small", data.input_shape_hwc, 10)
    options = TrainOptions(epochs=4)
    trained = fit(build(spec, 0), data, options).network
    x = network_input(prepare(data.preprocessing, data.train.x))[:128]
    for kind in (DepthwiseSeparable, Residual):
        insertion = next(i for i in insertions(spec) if isinstance(i.cell, kind))
        spec, trained = insert(spec, trained, insertion, x)
    onward = fit(trained, data, TrainOptions(epochs=4, learning_rate=3e-3))
    assert len(onward.network) == len(spec.cells)
    held_out, labels = prepare(data.preprocessing, data.test.x), data.test.labels
    before, after = (accuracy(n, held_out, labels) for n in (trained, onward.network))
    assert after >= before - 0.02

    quantized = quantize(onward.network, data, QuantizeOptions(epochs=0))
    graph = lower(quantized.module, quantized.calibration_inputs)
    answers = integer_output(graph, network_input(held_out)).argmax(1)
    assert abs(float((answers == labels).mean()) - after) <= 0.03


def test_a_network_just_grown_lowers_to_nearly_the_same_answers() -> None:
    data = digits()
    spec = specify("small", data.input_shape_hwc, 10)
    network = fit(build(spec, 0), data, TrainOptions(epochs=2)).network
    x = network_input(prepare(data.preprocessing, data.train.x))[:128]
    held_out = network_input(prepare(data.preprocessing, data.test.x))
    with torch.no_grad():
        expected = network(held_out).argmax(1).numpy()
    for kind in (Convolution, InvertedResidual):
        insertion = next(i for i in insertions(spec) if isinstance(i.cell, kind))
        _, deeper = insert(spec, network, insertion, x)
        quantized = quantize(deeper, data, QuantizeOptions(epochs=0))
        graph = lower(quantized.module, quantized.calibration_inputs)
        answers = integer_output(graph, held_out).argmax(1)
        assert float((answers == expected).mean()) >= 0.95


def test_every_reference_network_can_grow() -> None:
    for name in NETWORKS:
        assert insertions(specify(name, (32, 32, 3), 10)), name
