"""Float training: deterministic, resumable, best epoch on validation kept."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgeflow.data.dataset import Dataset, wanted_outputs
from edgeflow.errors import ModelError
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.train import checkpoint as checkpoints
from edgeflow.train.batches import Source, for_convolutions, plain_batch, source, steps_per_epoch
from edgeflow.train.checkpoint import DamageError, Keeper
from edgeflow.train.determinism import deterministic
from edgeflow.train.device import compute_device, gradient_scaler
from edgeflow.train.epoch import STAGE, diverged, train_epoch, validate
from edgeflow.train.guidance import BY_TARGETS, Guidance, on_device
from edgeflow.train.options import TrainOptions
from edgeflow.train.schedule import learning_rate
from edgeflow.train.state import (
    Best,
    EpochRecord,
    TrainingState,
    capture,
    identity,
    restore,
    weights_of,
)

__all__ = ["EpochRecord", "TrainedNetwork", "check_outputs", "fit", "start"]

PROBE_SAMPLES = 256


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """`network` (evaluation mode) holds the weights of `best_epoch`, counted from 1."""

    network: nn.Module
    history: tuple[EpochRecord, ...]
    best_epoch: int
    validation_score: float


def fit(
    network: nn.Module,
    dataset: Dataset,
    options: TrainOptions,
    progress: Progress = silent,
    *,
    guidance: Guidance = BY_TARGETS,
    checkpoint: Path | None = None,
) -> TrainedNetwork:
    """Train a copy of `network` for the data's task with AdamW; progress after and in each epoch.

    `guidance` may add a teacher to the targets. The epoch with the highest validation score is kept
    (then lowest loss, then earliest); the test part is never looked at. With a `checkpoint`, a
    training that was interrupted goes on from that file, and gives the same result bit for bit.
    Raises TrainingError when the loss stops being finite, ModelError when the network does not suit
    the data, MissingToolError without the device, StorageError when the checkpoint cannot be
    written.
    """
    device = compute_device(options)
    train = source(dataset, dataset.train, device)
    validation = source(dataset, dataset.validation, device)
    with deterministic(options.seed, options.threads, device) as generator:
        check_outputs(network, dataset)
        of = "" if checkpoint is None else identity(network, guidance, dataset, options)
        state = start(network, guidance, options, generator, device)
        if checkpoint is not None and not _resume(state, checkpoint, of, progress):
            state = start(network, guidance, options, generator, device)
        _run(state, train, validation, options, progress, Keeper(checkpoint), of)
    assert state.best is not None
    kept = copy.deepcopy(network)
    kept.load_state_dict(dict(state.best.weights))
    kept.eval()
    return TrainedNetwork(kept, tuple(state.history), state.best.epoch, state.best.rank[0])


def start(
    network: nn.Module,
    guidance: Guidance,
    options: TrainOptions,
    generator: torch.Generator,
    device: torch.device,
) -> TrainingState:
    """The state before the first epoch, with a copy of `network` on `device`."""
    trained = for_convolutions(copy.deepcopy(network).to(device))
    guided = on_device(guidance, device)
    optimizer = torch.optim.AdamW(
        [*trained.parameters(), *guided.companion.parameters()],
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
    )
    return TrainingState(
        network=trained,
        guidance=guided,
        average=copy.deepcopy(trained) if options.ema else None,
        optimizer=optimizer,
        scaler=gradient_scaler(options),
        generator=generator,
    )


def _resume(state: TrainingState, path: Path, of: str, progress: Progress) -> bool:
    """Bring `state` to where the checkpoint is; False where there is none that can be used."""
    try:
        snapshot = checkpoints.read(path, of)
        if snapshot is None:
            return False
        restore(state, snapshot)
    except DamageError as damage:
        if path.is_file():
            path.unlink()
        message = f"the checkpoint is not used: {damage}; training starts anew"
        progress(ProgressEvent(STAGE, message))
        return False
    message = f"goes on after epoch {len(state.history)}, from the checkpoint"
    progress(ProgressEvent(STAGE, message))
    return True


def _run(
    state: TrainingState,
    train: Source,
    validation: Source,
    options: TrainOptions,
    progress: Progress,
    keeper: Keeper,
    of: str,
) -> None:
    """Every epoch that is left; after an interrupt nothing of the whole epochs is lost."""
    steps = options.epochs * steps_per_epoch(len(train), options.batch_size)
    try:
        while not _is_finished(state, options):
            epoch = len(state.history) + 1
            rate = learning_rate(options.schedule, options.learning_rate, state.step, steps)
            loss = train_epoch(state, train, options, epoch, progress)
            validation_loss, score = validate(state.validated, validation)
            if not math.isfinite(validation_loss):
                raise diverged(epoch, 0, validation_loss, math.nan, rate)
            _note(state, EpochRecord(epoch, rate, loss, validation_loss, score))
            if keeper.path is not None:
                keeper.offer(capture(state, of))
            progress(_event(state.history[-1], options.epochs, train.objective.score_name))
    finally:
        keeper.flush()


def _is_finished(state: TrainingState, options: TrainOptions) -> bool:
    """After the last epoch, or once `patience` epochs have brought none that is better."""
    epoch = len(state.history)
    waited = 0 if state.best is None else epoch - state.best.epoch
    return epoch >= options.epochs or 0 < options.patience <= waited


def _note(state: TrainingState, record: EpochRecord) -> None:
    state.history.append(record)
    rank = (record.validation_score, -record.validation_loss)
    if state.best is None or rank > state.best.rank:
        state.best = Best(rank, record.epoch, weights_of(state.validated))


def check_outputs(network: nn.Module, dataset: Dataset) -> None:
    """Raise ModelError for a network that gives another number of outputs than the data needs."""
    count = min(PROBE_SAMPLES, len(dataset.train))
    probe = copy.deepcopy(network).cpu().train()
    with torch.no_grad():
        outputs = probe(plain_batch(source(dataset, dataset.train), np.arange(count)).x)
    if outputs.ndim != 2 or outputs.shape[1] != dataset.outputs:
        raise ModelError(
            f"the network gives outputs of shape {tuple(outputs.shape)} and the data has "
            f"{wanted_outputs(dataset)}",
            hint=f"the last layer must give [N, {dataset.outputs}]",
        )


def _event(record: EpochRecord, epochs: int, score_name: str) -> ProgressEvent:
    return ProgressEvent(
        STAGE,
        f"epoch {record.epoch}",
        done=record.epoch,
        total=epochs,
        values={
            "loss": record.train_loss,
            "validation_loss": record.validation_loss,
            f"validation_{score_name}": record.validation_score,
            "learning_rate": record.learning_rate,
        },
    )
