"""Pseudo-inverses and inverse square roots of second-moment matrices, with a stated cut-off."""

from __future__ import annotations

import torch
from torch import Tensor

# Directions with less than this part of the largest eigenvalue are taken for unused by the data:
# they would come back multiplied by the inverse, fitted to few samples.
CUT_OFF = 1e-6


def pseudo_inverse(moments: Tensor) -> Tensor:
    """S^+ of a symmetric positive semidefinite [D, D], eigenvalues up to CUT_OFF x largest as 0."""
    values, vectors = _kept(moments)
    return (vectors / values) @ vectors.T


def inverse_root(moments: Tensor) -> Tensor:
    """W [D, rank] with W W^T = S^+: S^-1/2 in the eigenvectors' own coordinates.

    Columns that S^-1/2 would rotate back stay unrotated, which changes u_k and not S^-1/2 u_k.
    """
    values, vectors = _kept(moments)
    return vectors / values.sqrt()


def _kept(moments: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(moments)
    kept = values > CUT_OFF * values[-1]
    return values[kept], vectors[:, kept]
