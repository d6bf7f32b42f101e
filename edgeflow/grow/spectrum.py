"""Pseudo-inverses and inverse roots of second-moment matrices, with a stated cut-off.

Features are scaled to mean square 1 first, so that the cut-off does not depend on their units.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Directions with less than this part of the largest eigenvalue are taken for unused by the data:
# they would come back multiplied by the inverse, fitted to few samples.
CUT_OFF = 1e-6


def pseudo_inverse(moments: Tensor) -> Tensor:
    """S^+ of a symmetric positive semidefinite [D, D]; directions below the cut-off give 0."""
    root = inverse_root(moments)
    return root @ root.T


def inverse_root(moments: Tensor) -> Tensor:
    """R [D, rank] with R R^T = S^+ and R^T S R the identity.

    R is S^-1/2 up to a rotation, which turns u_k of the singular vectors of R^T N and leaves
    alpha_k = R u_k as it is.
    """
    size = moments.diagonal().clamp_min(0.0).sqrt()
    size = torch.where(size > 0, size, torch.ones_like(size))
    values, vectors = torch.linalg.eigh(moments / size[:, None] / size)
    kept = values > CUT_OFF * values[-1]
    return vectors[:, kept] / values[kept].sqrt() / size[:, None]
