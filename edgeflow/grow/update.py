"""The update of a layer's pre-activations that comes closest to the desired one: least squares.

Equations as in `tiny`. With a = W B, V = -dL/da and new neurons that read B_prev:

    argmin E|V - dW B - sum_k omega_k act(alpha_k^T B_prev)|^2 over dW and omega, alpha given

Sums over batches of second moments are solved by a pseudo-inverse. For an optimum, the first-order
gain E<V, da> is the fitted E|da|^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgeflow.grow.probe import Batch, Probe, unfolded_inputs
from edgeflow.grow.proposal import Change
from edgeflow.grow.spectrum import pseudo_inverse


@dataclass(frozen=True, eq=False)
class Update:
    """dW [outputs, inputs + 1] of each consumer, outgoing weights of new neurons, and the gain.

    `outgoing` are [outputs, K, height, width]; `gain` is E<V, da> of dW and new neurons together.
    """

    change: Change
    outgoing: tuple[Tensor, ...]
    gain: float


def best_update(at: Probe, incoming: Tensor) -> Update:
    """The best dW and omega for neurons alpha = `incoming` [K, features + 1].

    With no neurons (K = 0), dW is the best change of existing weights, dW* = (S^+ M)^T.
    """
    change, outgoing, gain = [], [], 0.0
    for i, (s, m) in enumerate(_moments(at, incoming)):
        solution = (pseudo_inverse(s) @ m).T
        gain += float((solution.T * m).sum()) / len(at.x)
        existing = at.consumers[i].weight[0].numel()
        change.append(torch.cat([solution[:, :existing], solution[:, -1:]], dim=1))
        new = solution[:, existing:-1]
        outgoing.append(new.reshape(len(new), len(incoming), *_window(at, i)))
    return Update(tuple(change), tuple(outgoing), gain)


def residual_desired(at: Probe, batch: Batch, change: Change) -> list[Tensor]:
    """V_perp = V - dW B of each consumer, [N, outputs, H', W']."""
    found = []
    for layer, reading, c in zip(at.consumers, batch.readings, change, strict=True):
        read = unfolded_inputs(layer, reading.inputs)
        fitted = torch.einsum("nfhw,of->nohw", read, c[:, :-1]) + c[None, :, -1, None, None]
        found.append(reading.desired - fitted)
    return found


def _moments(at: Probe, incoming: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Sums of F F^T and F V^T for each consumer, F being its inputs, new channels and a one."""
    sums: list[tuple[Tensor, Tensor]] = []
    for batch in at.batches():
        new = at.passing(incoming[:, :-1], incoming[:, -1], batch).read if len(incoming) else None
        found = []
        for layer, reading in zip(at.consumers, batch.readings, strict=True):
            features = [unfolded_inputs(layer, reading.inputs)]
            features += [] if new is None else [unfolded_inputs(layer, new)]
            features += [torch.ones_like(features[0][:, :1])]
            rows = torch.cat(features, dim=1).permute(0, 2, 3, 1).flatten(0, 2)
            desired = reading.desired.permute(0, 2, 3, 1).flatten(0, 2)
            found.append((rows.T @ rows, rows.T @ desired))
        pairs = zip(sums, found, strict=True)
        sums = [(s + a, m + b) for (s, m), (a, b) in pairs] if sums else found
    return sums


def _window(at: Probe, consumer: int) -> tuple[int, int]:
    """Height and width of the weights for a new channel."""
    layer = at.consumers[consumer]
    if isinstance(layer, torch.nn.Conv2d):
        return layer.kernel_size[0], layer.kernel_size[1]
    return at.arriving
