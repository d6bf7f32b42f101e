"""TINY against brute force: least squares, singular values and gradients by other means."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeflow.grow import tiny
from edgeflow.grow.probe import Probe, contribution, correlation, unfolded_inputs
from edgeflow.grow.proposal import Proposal
from edgeflow.grow.sites import Site, Width, sites
from edgeflow.grow.update import best_update, residual_desired
from edgeflow.grow.widen import widen
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import Convolution, Dense, GlobalAveragePool, InvertedResidual
from tests.grow.networks import OBJECTIVE, SPECS, probe_of, samples, spec_of, trained_a_little

# A linear bottleneck before dense units: without ReLU the theory is exact.
LINEAR = spec_of(InvertedResidual(channels=2, expansion=2, stride=(2, 2)), shape=(2, 2, 5))

NO_NEURONS = torch.zeros(0, 1, dtype=torch.float64)


def propose(spec: NetworkSpec, network: nn.Module, site: Site, count: int) -> Proposal:
    return tiny.propose(
        spec, network, site, *samples(spec), OBJECTIVE, count, torch.Generator().manual_seed(0)
    )


def test_the_desired_update_is_minus_the_gradient_of_each_samples_loss() -> None:
    spec = SPECS["dense"]
    network = trained_a_little(spec)
    at = probe_of(spec, network, Site(0, Width.OUTPUT))
    (batch,) = at.batches()
    x, y = samples(spec)
    shift = torch.zeros(len(x), 5, dtype=torch.float64, requires_grad=True)
    layer = at.network.get_submodule("1.linear")
    handle = layer.register_forward_hook(lambda _, inputs, output: output + shift)
    losses = nn.functional.cross_entropy(at.network(x.double()), y, reduction="none")
    handle.remove()
    (gradient,) = torch.autograd.grad(losses.sum(), shift)
    torch.testing.assert_close(batch.readings[0].desired.flatten(1), -gradient)


def dense_rows(at: Probe) -> tuple[np.ndarray, np.ndarray]:
    (batch,) = at.batches()
    reading = batch.readings[0]
    inputs = reading.inputs.flatten(1)
    rows = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.float64)], 1)
    return rows.numpy(), reading.desired.flatten(1).numpy()


def test_the_best_change_is_the_least_squares_solution() -> None:
    spec = SPECS["dense"]
    at = probe_of(spec, trained_a_little(spec), Site(0, Width.OUTPUT))
    update = best_update(at, NO_NEURONS)
    (change,), gain = update.change, update.gain
    rows, desired = dense_rows(at)
    expected = np.linalg.lstsq(rows, desired, rcond=None)[0].T
    np.testing.assert_allclose(change.numpy(), expected, rtol=1e-6, atol=1e-9)
    fitted = rows @ expected.T
    assert gain == pytest.approx(float((desired * fitted).sum()) / len(rows))


def test_outgoing_weights_are_the_least_squares_solution_for_the_neurons_as_they_are() -> None:
    """With ReLU, next to the existing inputs, against numpy; their gain is what both add to it."""
    spec, site = SPECS["dense"], Site(0, Width.OUTPUT)
    network = trained_a_little(spec)
    at = probe_of(spec, network, site)
    proposal = propose(spec, network, site, 2)
    wider, module = widen(spec, network, site, proposal.neurons)
    (batch,) = probe_of(wider, module, site).batches()
    rows, desired = dense_rows(at)
    old_fit = rows @ np.linalg.lstsq(rows, desired, rcond=None)[0]
    joint = np.concatenate([batch.readings[0].inputs.flatten(1).numpy(), rows[:, -1:]], 1)
    solution = np.linalg.lstsq(joint, desired, rcond=None)[0].T
    fixed = float((desired * (joint @ solution.T)).sum() - (desired * old_fit).sum()) / 64
    assert proposal.extra["fixed"] == pytest.approx(fixed, rel=1e-3)
    outgoing = proposal.neurons.outgoing[0].flatten(1).numpy()
    unit = np.linalg.norm(outgoing) / np.linalg.norm(solution[:, 4:6])
    np.testing.assert_allclose(outgoing, solution[:, 4:6] * unit, rtol=1e-3, atol=1e-4 * unit)
    assert proposal.gain == pytest.approx(fixed * unit, rel=1e-3)


def test_the_best_change_of_a_convolution_is_least_squares_over_its_windows() -> None:
    spec = SPECS["convolution with stride and padding"]
    at = probe_of(spec, trained_a_little(spec), Site(0, Width.OUTPUT))
    (change,) = best_update(at, NO_NEURONS).change
    (batch,) = at.batches()
    reading = batch.readings[0]
    kernel, stride, padding = (3, 5), (2, 1), (1, 2)
    padded = nn.functional.pad(reading.inputs, (2, 2, 1, 1)).numpy()
    rows, desired = [], []
    height, width = reading.desired.shape[2:]
    for row in range(height):
        for column in range(width):
            top, left = row * stride[0], column * stride[1]
            window = padded[:, :, top : top + kernel[0], left : left + kernel[1]]
            rows.append(np.concatenate([window.reshape(len(window), -1), np.ones((64, 1))], 1))
            desired.append(reading.desired[:, :, row, column].numpy())
    assert padding == at.consumers[0].padding
    expected = np.linalg.lstsq(np.concatenate(rows), np.concatenate(desired), rcond=None)[0].T
    np.testing.assert_allclose(change.numpy(), expected, rtol=1e-5, atol=1e-9)


def test_linear_neurons_fix_as_much_of_the_bottleneck_as_any_of_that_number_can() -> None:
    """Against reduced-rank regression by numpy: fit, then the best rank-k part of the fit."""
    at = probe_of(LINEAR, trained_a_little(LINEAR), Site(0, Width.OUTPUT))
    network = trained_a_little(LINEAR)
    rows, desired = dense_rows(at)
    rest = desired - rows @ np.linalg.lstsq(rows, desired, rcond=None)[0]
    (batch,) = at.batches()
    previous = batch.producer_inputs.flatten(1)
    inputs = torch.cat([previous, torch.ones(len(previous), 1, dtype=torch.float64)], 1).numpy()
    fit = inputs @ np.linalg.lstsq(inputs, rest, rcond=None)[0]
    singular = np.linalg.svd(fit, compute_uv=False)
    for count in (1, 2):
        proposal = propose(LINEAR, network, Site(0, Width.OUTPUT), count)
        assert proposal.extra["bottleneck"] == pytest.approx((rest**2).sum() / len(rest))
        fixed = float((singular[:count] ** 2).sum()) / len(rest)
        assert proposal.extra["fixable"] == pytest.approx(fixed, rel=1e-6)


def test_linear_neurons_of_the_theory_leave_the_rest_of_the_bottleneck_and_are_the_best() -> None:
    at = probe_of(LINEAR, trained_a_little(LINEAR), Site(0, Width.OUTPUT))
    without = best_update(at, NO_NEURONS)
    lack = tiny.measured_bottleneck(at, without.change)
    directions, fixable = tiny.directions_of(lack, 2)
    (batch,) = at.batches()
    (rest,) = residual_desired(at, batch, without.change)
    new = at.passing(directions.incoming[:, :-1], directions.incoming[:, -1], batch)
    added = contribution(at.consumers[0], new.read, directions.outgoing[0])
    assert float((rest - added).square().sum()) / 64 == pytest.approx(lack.size - fixable)
    pre_activations = new.response + directions.incoming[:, -1][None, :, None, None]
    torch.testing.assert_close(
        pre_activations.square().mean((0, 2, 3)), torch.ones(2, dtype=torch.float64)
    )


@pytest.mark.parametrize("name", SPECS)
def test_what_consumers_want_of_new_channels_is_the_gradient_of_outgoing_weights(
    name: str,
) -> None:
    """The correlation with V against autograd through the real contribution."""
    spec = SPECS[name]
    for site in sites(spec):
        at = probe_of(spec, trained_a_little(spec), site)
        batch = next(at.batches())
        channels = at.carried_linearly(at.previous(batch))[:, :2]
        for layer, reading in zip(at.consumers, batch.readings, strict=True):
            size = correlation(layer, channels, reading.desired).shape
            outgoing = torch.zeros(size, dtype=torch.float64, requires_grad=True)
            added = contribution(layer, channels, outgoing)
            assert added.shape == reading.desired.shape
            (gradient,) = torch.autograd.grad((added * reading.desired).sum(), outgoing)
            torch.testing.assert_close(correlation(layer, channels, reading.desired), gradient)


def test_unfolded_inputs_times_weights_are_what_the_layer_gives() -> None:
    spec = SPECS["convolution with stride and padding"]
    at = probe_of(spec, trained_a_little(spec), Site(0, Width.OUTPUT))
    batch = next(at.batches())
    layer, reading = at.consumers[0], batch.readings[0]
    rows = unfolded_inputs(layer, reading.inputs)
    outputs = torch.einsum("nfhw,of->nohw", rows, layer.weight.flatten(1))
    torch.testing.assert_close(outputs, reading.outputs)


def test_there_are_no_more_neurons_than_both_signs_of_all_directions() -> None:
    spec = spec_of(Dense(units=4))
    proposal = propose(spec, trained_a_little(spec), Site(0, Width.OUTPUT), 20)
    assert proposal.neurons.count == 2 * 3


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SPECS["convolution with stride and padding"]
    network = trained_a_little(spec)
    whole = propose(spec, network, Site(0, Width.OUTPUT), 2)
    monkeypatch.setattr("edgeflow.grow.probe._ELEMENTS", 9 * 8 * 4 * 15 * 7)
    parts = propose(spec, network, Site(0, Width.OUTPUT), 2)
    assert parts.gain == pytest.approx(whole.gain, rel=1e-9)
    torch.testing.assert_close(parts.neurons.incoming, whole.neurons.incoming)


def test_equal_inputs_give_bit_identical_proposals() -> None:
    spec = SPECS["residual"]
    network = trained_a_little(spec)
    for site in sites(spec):
        first, second = (propose(spec, network, site, 2) for _ in range(2))
        assert first.gain == second.gain
        for field in dataclasses.fields(first.neurons):
            a, b = (getattr(p.neurons, field.name) for p in (first, second))
            pairs = zip(a, b, strict=True) if isinstance(a, tuple) else [(a, b)]
            assert all(x is y is None or torch.equal(x, y) for x, y in pairs)


def test_an_input_that_never_changes_adds_nothing_to_new_neurons() -> None:
    """Its moments are 0 (or the constant's): the pseudo-inverse must not blow it up."""
    spec = spec_of(Convolution(channels=3), GlobalAveragePool())
    network = build(spec, 0).eval()
    x, y = samples(spec)
    x[:, 1] = 0.0
    proposal = tiny.propose(
        spec, network, Site(0, Width.OUTPUT), x, y, OBJECTIVE, 2, torch.Generator()
    )
    incoming: Tensor = proposal.neurons.incoming
    assert float(incoming[:, 1].abs().max()) < 1e-6 * float(incoming.abs().max())
