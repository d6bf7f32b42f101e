"""AdamW for rows of parameters, each row with a learning rate of its own.

Decoupled weight decay (Loshchilov, Hutter 2019, arXiv 1711.05101, algorithm 2), element by element:

    m <- b1 m + (1 - b1) g          v <- b2 v + (1 - b2) g^2
    w <- w - r lambda w - r (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SECOND_DECAY = 0.999
EPSILON = 1e-8


@dataclass(frozen=True, eq=False)
class Moments:
    """Running means [K, P] of gradients and of their squares; changed in place."""

    first: Tensor
    second: Tensor


def no_moments(values: Tensor) -> Moments:
    """The moments before the first step."""
    return Moments(torch.zeros_like(values), torch.zeros_like(values))


def update(
    values: Tensor,
    gradient: Tensor,
    moments: Moments,
    *,
    step: int,
    rates: Tensor,
    first_decay: float,
    weight_decay: float,
) -> None:
    """Change `values` [K, P] in place: step number `step` (from 1), learning rates [K, 1]."""
    with torch.no_grad():
        values.mul_(1.0 - rates * weight_decay)
        moments.first.lerp_(gradient, 1.0 - first_decay)
        moments.second.mul_(SECOND_DECAY).addcmul_(gradient, gradient, value=1.0 - SECOND_DECAY)
        root = moments.second.sqrt().div_((1.0 - SECOND_DECAY**step) ** 0.5).add_(EPSILON)
        values.sub_(
            torch.div(moments.first, root, out=root).mul_(rates / (1.0 - first_decay**step))
        )
