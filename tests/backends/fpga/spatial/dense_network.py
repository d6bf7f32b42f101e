"""A network for 8x8 images that is small enough for a device in space."""

from __future__ import annotations

from torch import nn


def network() -> nn.Module:
    """64-4-10."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 10))
