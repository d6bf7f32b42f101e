"""From directions of new neurons to a proposal with its first-order gain.

The gain is that of the network that is built, not of a linearized one. A new neuron k adds
omega_k * act(alpha_k^T B) to the pre-activations a of the layers that read it, and its amplitude t
multiplies omega_k, so that exactly dL/dt = -E<V, omega_k act(alpha_k^T B)> at t = 0, V = -dL/da.
For ReLU, the signs (alpha, omega) and (-alpha, -omega) share the linear neuron's gain, as
relu(z) - relu(-z) = z: the better one is taken, and has at least half of it.

Amplitude 1 makes the neurons' contribution as large as the pre-activations themselves (root mean
square over samples, about their mean), so that gains of different sites can be compared: batch
normalization makes the scale of pre-activations, and so that of V, arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgeflow.grow.probe import Batch, Probe, contribution, correlation
from edgeflow.grow.sites import Site
from edgeflow.grow.widen import Neurons

Change = tuple[Tensor, ...]
Desired = Callable[[Batch], list[Tensor]]


@dataclass(frozen=True, eq=False)
class Proposal:
    """New neurons for a site and what they promise.

    `gain` is the decrease of the loss that takes the neurons, to first order and per amplitude.
    `change` (outputs x inputs + 1 for each consumer) is added to existing weights in the same
    proportion; `change_gain` more could be had without the neurons. `extra` holds figures of the
    method.
    """

    site: Site
    neurons: Neurons
    gain: float
    change: Change | None = None
    change_gain: float = 0.0
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def total_gain(self) -> float:
        """First-order decrease of the loss per amplitude, change of existing weights included."""
        return self.gain + self.change_gain


@dataclass(frozen=True, eq=False)
class Directions:
    """K incoming directions [K, features + 1] (last: bias) and outgoing ones for each consumer.

    `outgoing` are [outputs, K, height, width] each.
    """

    incoming: Tensor
    outgoing: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class _Measured:
    """Gains E<V, omega act(alpha B)> of neurons, and statistics of each, [K]."""

    gains: Tensor
    mean: Tensor
    variance: Tensor
    passing_mean: Tensor
    passing_variance: Tensor


def proposal(
    at: Probe,
    directions: Directions,
    change: Change | None = None,
    total_gain: float | None = None,
    change_gain: float = 0.0,
    extra: Mapping[str, float] | None = None,
) -> Proposal:
    """The proposal of all `directions` at amplitude 1.

    A `change` of existing weights comes with the first-order gain of both, and with how much of it
    needs no new neurons, all in the scale of the outgoing directions.
    """
    measured = _measure(at, directions, _desired)
    total = float(measured.gains.sum()) if total_gain is None else total_gain
    unit = _amplitude_one(at, directions)
    scaled = Directions(directions.incoming, tuple(w * unit for w in directions.outgoing))
    return Proposal(
        at.site,
        _neurons(at, scaled, measured),
        gain=(total - change_gain) * unit,
        change=None if change is None else tuple(c * unit for c in change),
        change_gain=change_gain * unit,
        extra=dict(extra or {}),
    )


def better_signs(
    at: Probe, directions: Directions, count: int, desired: Desired | None = None
) -> Directions:
    """`count` neurons: of each direction the better sign, in order, then the others.

    Fewer where both signs of all are fewer. Better by the correlation with `desired`, by default V.
    """
    both = Directions(
        torch.cat([directions.incoming, -directions.incoming]),
        tuple(torch.cat([w, -w], dim=1) for w in directions.outgoing),
    )
    gains = _measure(at, both, desired or _desired).gains
    half = len(gains) // 2
    first = torch.arange(half)
    minus = gains[half:] > gains[:half]
    better = torch.where(minus, first + half, first)
    worse = torch.where(minus, first, first + half)
    chosen = torch.cat([better, worse])[:count]
    return Directions(both.incoming[chosen], tuple(w[:, chosen] for w in both.outgoing))


def _desired(batch: Batch) -> list[Tensor]:
    return [reading.desired for reading in batch.readings]


def _measure(at: Probe, directions: Directions, desired: Desired) -> _Measured:
    incoming, bias = directions.incoming[:, :-1], directions.incoming[:, -1]
    gains = torch.zeros(len(incoming), dtype=torch.float64)
    sums = torch.zeros(4, len(incoming), dtype=torch.float64)
    positions = passing_positions = 0
    for batch in at.batches():
        new = at.passing(incoming, bias, batch)
        for layer, wanted, omega in zip(
            at.consumers, desired(batch), directions.outgoing, strict=True
        ):
            gains += (correlation(layer, new.read, wanted) * omega).sum((0, 2, 3))
        sums[0] += new.response.sum((0, 2, 3))
        sums[1] += new.response.square().sum((0, 2, 3))
        sums[2] += new.arrived.sum((0, 2, 3))
        sums[3] += new.arrived.square().sum((0, 2, 3))
        positions += new.response[:, 0].numel()
        passing_positions += new.arrived[:, 0].numel()
    mean, passing_mean = sums[0] / positions, sums[2] / passing_positions
    return _Measured(
        gains / len(at.x),
        mean,
        (sums[1] / positions - mean.square()).clamp_min(0.0),
        passing_mean,
        (sums[3] / passing_positions - passing_mean.square()).clamp_min(0.0),
    )


def _amplitude_one(at: Probe, directions: Directions) -> float:
    """Factor that makes the contribution as large as the pre-activations; 1 where it is nothing."""
    incoming, bias = directions.incoming[:, :-1], directions.incoming[:, -1]
    added = existing = 0.0
    means = [torch.zeros(layer.weight.shape[0], dtype=torch.float64) for layer in at.consumers]
    for batch in at.batches():
        channels = at.passing(incoming, bias, batch).read
        for i, layer in enumerate(at.consumers):
            outputs = batch.readings[i].outputs
            extra = contribution(layer, channels, directions.outgoing[i])
            added += float(extra.square().mean((2, 3)).sum())
            existing += float(outputs.square().mean((2, 3)).sum())
            means[i] += outputs.mean((2, 3)).sum(0)
    count = len(at.x)
    existing -= sum(float((m / count).square().sum()) * count for m in means)
    return (existing / added) ** 0.5 if added > 0 and existing > 0 else 1.0


def _neurons(at: Probe, picked: Directions, measured: _Measured) -> Neurons:
    """Filters as long as the layer's own on average; batch normalization carries the scale."""
    weight = at.producer.weight
    typical = float(weight.flatten(1).norm(dim=1).mean()) or 1.0
    filters, bias = picked.incoming[:, :-1], picked.incoming[:, -1]
    length = filters.norm(dim=1)
    factor = torch.where(length > 0, typical / length.clamp_min(1e-300), torch.ones_like(length))
    like = at.dtype
    passing = at.wires.depthwise is not None
    return Neurons(
        incoming=(filters * factor[:, None]).reshape(-1, *weight.shape[1:]).to(like),
        scale=(1.0 / factor).to(like),
        bias=bias.to(like),
        mean=(measured.mean * factor).to(like),
        variance=(measured.variance * factor.square()).to(like),
        outgoing=tuple(w.to(like) for w in picked.outgoing),
        passing_mean=measured.passing_mean.to(like) if passing else None,
        passing_variance=measured.passing_variance.to(like) if passing else None,
    )
