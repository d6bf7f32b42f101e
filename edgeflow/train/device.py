"""Where torch trains, and at what precision."""

from __future__ import annotations

import os

import torch

from edgeflow.errors import MissingToolError
from edgeflow.train.options import ComputeDevice, TrainOptions


def compute_device(options: TrainOptions) -> torch.device:
    """The device of `options`. Raises MissingToolError where there is none of its kind."""
    if options.device is ComputeDevice.CPU:
        return torch.device("cpu")
    # cuBLAS reads it when it starts; without it its results are not reproducible.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if not torch.cuda.is_available():
        why = "this torch is built without CUDA" if torch.version.cuda is None else "none is found"
        raise MissingToolError(
            f"[train] device = 'cuda' needs an NVIDIA GPU: {why}",
            hint="set [train] device = 'cpu', or install a torch with CUDA on a machine with a GPU",
        )
    return torch.device("cuda")


def autocast(options: TrainOptions) -> torch.autocast:
    """Context of a forward pass: bfloat16 where the GPU has it, else float16; or as it is."""
    name = options.device.value
    if not options.mixed_precision:
        return torch.autocast(name, enabled=False)
    return torch.autocast(name, dtype=_half(), enabled=True)


def gradient_scaler(options: TrainOptions) -> torch.amp.GradScaler:
    """Scales losses so that float16 gradients do not vanish; elsewhere it changes nothing."""
    wanted = options.mixed_precision and _half() is torch.float16
    return torch.amp.GradScaler(options.device.value, enabled=wanted)


def _half() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
