"""GradMax: the outgoing weights that give new neurons the largest gradient.

"GradMax: Growing Neural Networks using Gradient Information", Evci, van Merrienboer, Unterthiner,
Vladymyrov, Pedregosa, ICLR 2022, arXiv 2201.05125. New incoming weights start at zero, so that the
function stays; the outgoing ones, of bounded norm, maximize the norm of the loss's gradient at the
incoming ones:

    max |N omega|_F  subject to |omega|_F <= c,   N = E[B_prev V^T], V = -dL/da
    N = sum_k sigma_k u_k v_k^T:                  omega_k proportional to v_k

A neuron with incoming weights of zero is nothing to measure, to give batch normalization, or, for
ReLU, to differentiate. So the proposal is where the first gradient step takes it: alpha_k in the
direction N v_k = sigma_k u_k, its length found by the line search (0 is the paper's own start).
Against TINY: V in place of V_perp, and no S_prev^-1/2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgeflow.grow.probe import correlation, probe
from edgeflow.grow.proposal import Directions, Proposal, better_signs, proposal
from edgeflow.grow.sites import Site
from edgeflow.grow.tiny import flattened, unflattened
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
    """`count` neurons by GradMax from samples x [N, C, H, W]; `generator` is not used.

    Fewer than `count` where the layers have no more directions. `extra` holds `gradient_norm`,
    the norm of the gradient at the incoming weights with |omega_k| = 1.
    Raises ModelError where the site cannot grow.
    """
    at = probe(spec, network, site, x, targets, objective)
    linear: list[Tensor] = []
    squares = torch.zeros(())
    rows = 0
    for batch in at.batches():
        previous = at.previous(batch)
        read = at.carried_linearly(previous)
        flat = previous.transpose(0, 1).flatten(1)
        squares, rows = squares + flat @ flat.T, rows + flat.shape[1]
        found = [
            correlation(layer, read, reading.desired)
            for layer, reading in zip(at.consumers, batch.readings, strict=True)
        ]
        linear = [a + b for a, b in zip(linear, found, strict=True)] if linear else found
    gradient = tuple(n / len(x) for n in linear)
    u, values, vh = torch.linalg.svd(flattened(gradient), full_matrices=False)
    kept = min(count, len(values))
    incoming = u[:, :kept].T.contiguous()
    # Neurons whose pre-activation has mean square 1, with the scale in the outgoing weights.
    size = torch.einsum("kd,de,ke->k", incoming, squares / rows, incoming).clamp_min(0.0).sqrt()
    size = torch.where(size > 0, size, torch.ones_like(size))
    outgoing = (values[:kept] * size)[:, None] * vh[:kept]
    directions = Directions(incoming / size[:, None], unflattened(outgoing, gradient))
    norm = float(values[:kept].square().sum().sqrt())
    return proposal(at, better_signs(at, directions, count), extra={"gradient_norm": norm})
