"""The one place where samples change from the data's NHWC to the network's NCHW."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def network_input(x: NDArray[np.float32]) -> torch.Tensor:
    """[N, height, width, channels] float32 to a contiguous [N, channels, height, width] tensor."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def network_layout(x: torch.Tensor) -> torch.Tensor:
    """[N, height, width, channels] as a view [N, channels, height, width] (channels_last)."""
    return x.permute(0, 3, 1, 2)
