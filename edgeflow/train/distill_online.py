"""Deep mutual learning (Zhang, Xiang, Hospedales, Lu 2018, arXiv 1706.00384): a teacher on the fly.

Two networks learn the same batches at once, each from the targets and from the other's answers:

    L_1 = (1 - w) L_targets(z_1) + w T^2 KL(p_2 || p_1)
    L_2 = (1 - w) L_targets(z_2) + w T^2 KL(p_1 || p_2)

with logits z, p = softmax(z / T), and no gradient through the other's answers. The paper has T = 1
and equal shares, which is w = 0.5 here. Both networks take their step at once from the same
answers; the paper's take turns.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgeflow.train.guidance import Batch, Guidance, TargetLoss
from edgeflow.train.soft_loss import soft_loss


def mutual_loss(
    one: Tensor, other: Tensor, by_targets: TargetLoss, *, temperature: float, soft_weight: float
) -> Tensor:
    """L_1 + L_2 for the logits [N, classes] of both networks; a scalar."""
    hard = by_targets(one) + by_targets(other)
    soft = soft_loss(one, other, temperature) + soft_loss(other, one, temperature)
    return soft_weight * soft + (1.0 - soft_weight) * hard


def by_peer(peer: nn.Module, *, temperature: float, soft_weight: float) -> Guidance:
    """Train together with `peer`, an untrained network of any kind, which teaches as it learns."""

    def loss(network: nn.Module, teachers: nn.Module, companion: nn.Module, batch: Batch) -> Tensor:
        answers = network(batch.x), companion(batch.x)
        return mutual_loss(
            *answers, batch.by_targets, temperature=temperature, soft_weight=soft_weight
        )

    name = f"online, T {temperature!r}, w {soft_weight!r}"
    return Guidance(name, loss, companion=peer)
