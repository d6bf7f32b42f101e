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
gives). To first order, linear neurons lower the loss by sum_k lambda_k^2, the part of the
bottleneck that they fix.

Convolutions: B and B_prev are unfolded inputs, expectations sums over positions. A new channel is
read at several taps q of the next kernel, so N = sum_p E[B_prev(p + q) V_perp(p)^T] has a column
for each output and tap, and S_prev averages over positions (as in the paper: different taps of one
channel are taken as uncorrelated). Poolings between the layers and the centre tap of a depthwise
kernel are linear maps over positions and applied to B_prev in N; a maximum is not, and the mean
stands in for it. S_prev stays that of the neurons' own inputs, where the activation acts: moments
of pooled inputs are small in directions that alternate over positions, and S_prev^-1/2 would blow
up just those, whose rectified mean says nothing (worse than GradMax before global pooling).

That linear view gives the directions alpha_k. Real neurons are not linear (ReLU), and their taps
are correlated. So the sign of each is the one whose act(alpha_k^T B_prev) promises more of V_perp,
and omega_k and dW are solved once more, exactly, for act(alpha_k^T B_prev) as it is read (see
`update`). The gain is what the neurons add to that of dW* alone: the part of the bottleneck that
they really fix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgeflow.grow.probe import Probe, correlation, probe
from edgeflow.grow.proposal import Change, Directions, Proposal, better_signs, proposal
from edgeflow.grow.sites import Site
from edgeflow.grow.spectrum import inverse_root
from edgeflow.grow.update import best_update, residual_desired
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
    holds the bottleneck E|V_perp|^2, `fixable`, sum_k lambda_k^2 of the linear neurons, and `fixed`
    by the real ones.
    Raises ModelError where the site cannot grow.
    """
    at = probe(spec, network, site, x, targets, objective)
    nothing = torch.zeros(0, at.producer.weight[0].numel() + 1, dtype=torch.float64)
    without = best_update(at, nothing)
    lack = measured_bottleneck(at, without.change)
    directions, fixable = directions_of(lack, count)
    chosen = better_signs(
        at, directions, count, lambda batch: residual_desired(at, batch, without.change)
    )
    update = best_update(at, chosen.incoming)
    extra = {"bottleneck": lack.size, "fixable": fixable, "fixed": update.gain - without.gain}
    neurons = Directions(chosen.incoming, update.outgoing)
    return proposal(at, neurons, update.change, update.gain, without.gain, extra)


@dataclass(frozen=True, eq=False)
class Bottleneck:
    """`size` E|V_perp|^2, N of each consumer [outputs, features + 1, height, width], S_prev.

    `size` and N are sums over positions and means over samples, S_prev is a mean over both;
    `positions` is the number of those that consumers read of a channel.
    """

    size: float
    linear: tuple[Tensor, ...]
    moments: Tensor
    positions: int


def measured_bottleneck(at: Probe, change: Change) -> Bottleneck:
    """What the best change of the existing weights leaves, and what the layer before sees of it."""
    linear: list[Tensor] = []
    moments, size, positions = torch.zeros(()), 0.0, 1
    for batch in at.batches():
        previous = at.previous(batch)
        read = at.carried_linearly(previous)
        positions = read[0, 0].numel()
        rows = previous.permute(0, 2, 3, 1).flatten(0, 2)
        moments = moments + rows.T @ rows / previous[0, 0].numel()
        rests = residual_desired(at, batch, change)
        found = [
            correlation(layer, read, rest) for layer, rest in zip(at.consumers, rests, strict=True)
        ]
        linear = [a + b for a, b in zip(linear, found, strict=True)] if linear else found
        size += sum(float(rest.square().sum()) for rest in rests)
    count = len(at.x)
    return Bottleneck(size / count, tuple(n / count for n in linear), moments / count, positions)


def directions_of(lack: Bottleneck, count: int) -> tuple[Directions, float]:
    """alpha_k and omega_k, and the part of the bottleneck that they fix as linear neurons."""
    root = inverse_root(lack.moments)
    u, values, vh = torch.linalg.svd(root.T @ flattened(lack.linear), full_matrices=False)
    kept = min(count, len(values))
    incoming = (root @ u[:, :kept]).T.contiguous()
    outgoing = unflattened(values[:kept, None] * vh[:kept] / lack.positions, lack.linear)
    return Directions(incoming, outgoing), float(values[:kept].square().sum()) / lack.positions


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
