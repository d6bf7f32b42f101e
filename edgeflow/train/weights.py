"""Weights on disk as safetensors: no code runs when they are read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from edgeflow.errors import ModelError, StorageError
from edgeflow.train.fit import EpochRecord, TrainedNetwork

_HISTORY = "edgeflow.history"


def save(trained: TrainedNetwork, path: Path) -> None:
    """Write weights and history to `path`; equal networks give equal bytes."""
    record = {
        "history": [vars(epoch) for epoch in trained.history],
        "best_epoch": trained.best_epoch,
        "validation_score": trained.validation_score,
    }
    state = {name: tensor.contiguous() for name, tensor in trained.network.state_dict().items()}
    try:
        save_file(state, path, metadata={_HISTORY: json.dumps(record, sort_keys=True)})
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"{path}: weights could not be written ({error})",
            hint="check free space and permission",
        ) from error


def load(network: nn.Module, path: Path) -> TrainedNetwork:
    """Put the weights of `path` into `network`, which must have the same parameters.

    Raises ModelError where the file is damaged, belongs to another network or holds NaN.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        record = json.loads(metadata[_HISTORY])
        history = tuple(EpochRecord(**epoch) for epoch in record["history"])
        best_epoch, score = int(record["best_epoch"]), float(record["validation_score"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: not a weights file of edgeflow, or damaged ({error})",
            hint="remove it and train again",
        ) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if wanted != found:
        different = sorted(n for n in wanted | found if wanted.get(n) != found.get(n))
        raise ModelError(
            f"{path}: weights of another network ({len(different)} tensors differ, "
            f"such as {different[0]!r}: {found.get(different[0])} for {wanted.get(different[0])})",
            hint="train this network, or give the network that these weights belong to",
        )
    bad = [
        n for n, t in state.items() if t.is_floating_point() and not np.isfinite(t.numpy()).all()
    ]
    if bad:
        raise ModelError(f"{path}: tensor {bad[0]!r} holds NaN or infinity", hint="train again")
    network.load_state_dict(state)
    network.eval()
    return TrainedNetwork(network, history, best_epoch, score)
