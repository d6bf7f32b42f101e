"""TINY: the neurons that best give a layer the update that the loss asks for and it cannot make.

"Growing Tiny Networks: Spotting Expressivity Bottlenecks and Fixing Them Optimally", Verbockhaven,
Chevallier, Charpiat, arXiv 2405.19816. For the pre-activations a = W B of a layer that reads B
(a one appended, for the bias) and the neurons before it, which read B_prev (a one appended):

    V      = -dL/da                               desired update, for each sample and position
    dW*    = argmin E|V - dW B|^2 = (S^+ M)^T     S = E[B B^T], M = E[B V^T]
    V_perp = V - dW* B                            E|V_perp|^2 is the expressivity bottleneck
    min E|V_perp - sum_k omega_k alpha_k^T B_prev|^2:
        S_prev = E[B_prev B_prev^T], N = E[B_prev V_perp^T]
        S_prev^-1/2 N = sum_k lambda_k u_k v_k^T  (singular values, descending)
        alpha_k = S_prev^-1/2 u_k, omega_k = lambda_k v_k

up to how lambda_k is shared between alpha_k and omega_k (the paper: sqrt(lambda_k) each; here all
of it in omega_k, so that a new neuron's pre-activation has mean square 1, as batch normalization
gives). To first order the linear neurons lower the loss by sum_k lambda_k^2, the part of the
bottleneck that they fix.

Convolutions: B and B_prev are unfolded inputs, expectations sums over positions. A new channel is
read at several taps q of the next kernel, so N = sum_p E[B_prev(p + q) V_perp(p)^T] has a column
for each output and tap, and S_prev averages over positions (the paper's convolutions: moments of
different taps of one channel are taken as uncorrelated; exact for 1x1 and dense layers). Between
the two layers, poolings and the centre tap of a depthwise kernel are linear maps over positions
and applied to B_prev; a maximum is not, and the mean stands in for it. Only the directions come
from this linear view: the gain of a proposal is measured with the activation (see `proposal`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeflow.grow.probe import Batch, Probe, correlation, probe, unfolded_inputs, with_ones
from edgeflow.grow.proposal import Change, Directions, Proposal, proposal
from edgeflow.grow.sites import Site
from edgeflow.grow.spectrum import inverse_root, pseudo_inverse
from edgeflow.nets.network import NetworkSpec
from edgeflow.train.objective import Objective


def propose(
    spec: NetworkSpec,
    network: torch.nn.Module,
    site: Site,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
    count: int,
    generator: torch.Generator,
) -> Proposal:
    """`count` neurons by TINY from samples x [N, C, H, W], with the best change of old weights.

    Fewer than `count` where the layers have no more directions. `generator` is not used. `extra`
    holds the bottleneck E|V_perp|^2 and `fixable`, sum_k lambda_k^2 of the linear neurons.
    Raises ModelError where the site cannot grow.
    """
    at = probe(spec, network, site, x, targets, objective)
    change, change_gain = best_change(at)
    linear, moments, bottleneck, positions = measured_bottleneck(at, change)
    directions, fixable = directions_of(linear, moments, positions, count)
    extra = {"bottleneck": bottleneck, "fixable": fixable}
    return proposal(at, directions, count, change, change_gain, extra)


def best_change(at: Probe) -> tuple[Change, float]:
    """dW* [outputs, inputs + 1] of each consumer, and its first-order gain tr(M^T S^+ M)."""
    moments = [torch.zeros(0)] * len(at.consumers)
    targets = [torch.zeros(0)] * len(at.consumers)
    for batch in at.batches():
        for i, (rows, desired) in enumerate(_rows(at, batch)):
            s, m = rows.T @ rows, rows.T @ desired
            moments[i] = s if moments[i].numel() == 0 else moments[i] + s
            targets[i] = m if targets[i].numel() == 0 else targets[i] + m
    count = len(at.x)
    change = tuple(
        (pseudo_inverse(s) @ m).T.contiguous() for s, m in zip(moments, targets, strict=True)
    )
    gain = sum(float((c.T * m).sum()) for c, m in zip(change, targets, strict=True)) / count
    return change, gain


def _rows(at: Probe, batch: Batch) -> list[tuple[Tensor, Tensor]]:
    """B [N * positions, inputs + 1] and V [N * positions, outputs] of each consumer."""
    return [
        (
            with_ones(unfolded_inputs(layer, reading.inputs)),
            reading.desired.permute(0, 2, 3, 1).flatten(0, 2),
        )
        for layer, reading in zip(at.consumers, batch.readings, strict=True)
    ]


def residual_desired(at: Probe, batch: Batch, change: Change) -> list[Tensor]:
    """V_perp of each consumer, [N, outputs, H', W']."""
    found = []
    for (rows, desired), c, reading in zip(_rows(at, batch), change, batch.readings, strict=True):
        n, outputs, height, width = reading.desired.shape
        rest = (desired - rows @ c.T).reshape(n, height, width, outputs)
        found.append(rest.permute(0, 3, 1, 2).contiguous())
    return found


def measured_bottleneck(at: Probe, change: Change) -> tuple[tuple[Tensor, ...], Tensor, float, int]:
    """N of each consumer [outputs, features + 1, height, width], S_prev, E|V_perp|^2, positions.

    N is a sum over positions and a mean over samples, S_prev a mean over both.
    """
    linear: list[Tensor] = []
    moments, bottleneck, positions = torch.zeros(()), 0.0, 0
    for batch in at.batches():
        previous = at.previous(batch)
        read = at.carried_linearly(previous)
        positions = read[0, 0].numel()
        rows = previous.permute(0, 2, 3, 1).flatten(0, 2)
        moments = moments + rows.T @ rows / previous[0, 0].numel()
        rests = residual_desired(at, batch, change)
        found = [
            correlation(layer, read, rest)
            for layer, rest in zip(at.consumers, rests, strict=True)
        ]
        linear = [a + b for a, b in zip(linear, found, strict=True)] if linear else found
        bottleneck += sum(float(rest.square().sum()) for rest in rests)
    count = len(at.x)
    return (
        tuple(n / count for n in linear),
        moments / count / positions,
        bottleneck / count,
        positions,
    )


def directions_of(
    linear: tuple[Tensor, ...], moments: Tensor, positions: int, count: int
) -> tuple[Directions, float]:
    """alpha_k and omega_k, and the part of the bottleneck that they fix as linear neurons."""
    root = inverse_root(moments)
    u, values, vh = torch.linalg.svd(root.T @ flattened(linear), full_matrices=False)
    kept = min(count, len(values))
    outgoing = values[:kept, None] * vh[:kept] / positions
    directions = Directions((root @ u[:, :kept]).T.contiguous(), unflattened(outgoing, linear))
    return directions, float(values[:kept].square().sum()) / positions


def flattened(linear: tuple[Tensor, ...]) -> Tensor:
    """[outputs, features + 1, height, width] of each consumer as columns: [features + 1, all]."""
    return torch.cat([n.transpose(0, 1).flatten(1) for n in linear], dim=1)


def unflattened(rows: Tensor, like: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Rows [K, all] in the order of `flattened` as [outputs, K, height, width] of each consumer."""
    parts = rows.split([n[:, 0].numel() for n in like], dim=1)
    return tuple(
        part.reshape(-1, n.shape[0], *n.shape[2:]).transpose(0, 1).contiguous()
        for part, n in zip(parts, like, strict=True)
    )
