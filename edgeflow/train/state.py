"""A training between two epochs: everything that the next epoch depends on, in memory or stored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeflow import __version__
from edgeflow.data.dataset import Dataset
from edgeflow.train.checkpoint import DamageError, Snapshot
from edgeflow.train.guidance import Guidance
from edgeflow.train.options import TrainOptions

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of functions in a module's description


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave; losses are means over samples, the score is larger for better ones."""

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_score: float


@dataclass(frozen=True, eq=False)
class Best:
    """The weights of the best epoch. `rank` is its validation score, then its negated loss."""

    rank: tuple[float, float]
    epoch: int
    weights: Mapping[str, Tensor]


@dataclass(eq=False)
class TrainingState:
    """Changed by the loop alone. `average` is the network of averaged weights, where there is one.

    `step` counts updates from 0; `generator` draws order and augmentation.
    """

    network: nn.Module
    guidance: Guidance
    average: nn.Module | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    generator: torch.Generator
    step: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    best: Best | None = None

    @property
    def validated(self) -> nn.Module:
        """The network whose weights are validated and kept."""
        return self.network if self.average is None else self.average


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the state of `network` on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def identity(
    network: nn.Module, guidance: Guidance, dataset: Dataset, options: TrainOptions
) -> str:
    """Sha256 (hex) over everything that decides what a training gives."""
    digest = hashlib.sha256()
    modules = (network, guidance.teachers, guidance.companion)
    for text in (
        __version__,
        torch.__version__,
        options.model_dump_json(),
        dataset.preprocessing.model_dump_json(),
        dataset.task,
        guidance.name,
        *(_ADDRESS.sub("", repr(module)) for module in modules),
    ):
        digest.update(f"{len(text)}:{text}".encode())
    values = [value for module in modules for value in module.state_dict().values()]
    arrays = [value.detach().cpu().contiguous().numpy() for value in values]
    for split in (dataset.train, dataset.validation):
        arrays += [split.x] if split.y is None else [split.x, split.y]
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def capture(state: TrainingState, of: str) -> Snapshot:
    """A copy of the state; `of` is the training's identity."""
    tensors = dict(_prefixed("network", weights_of(state.network)))
    tensors |= _prefixed("companion", weights_of(state.guidance.companion))
    if state.average is not None:
        tensors |= _prefixed("average", weights_of(state.average))
    for index, moments in state.optimizer.state_dict()["state"].items():
        copies = {name: value.detach().cpu().clone() for name, value in moments.items()}
        tensors |= _prefixed(f"optimizer.{index}", copies)
    tensors["generator.own"] = state.generator.get_state()
    tensors["generator.torch"] = torch.random.get_rng_state()
    if torch.cuda.is_initialized():
        tensors["generator.cuda"] = torch.cuda.get_rng_state()
    document: dict[str, Any] = {
        "step": state.step,
        "history": [vars(record) for record in state.history],
        "scaler": state.scaler.state_dict(),
    }
    if state.best is not None:
        tensors |= _prefixed("best", state.best.weights)
        document["best"] = {"rank": list(state.best.rank), "epoch": state.best.epoch}
    return Snapshot(of, tensors, document)


def restore(state: TrainingState, snapshot: Snapshot) -> None:
    """Bring a fresh state to where `snapshot` was taken.

    Raises DamageError where parts are missing; the state is spoilt then, torch's generators not.
    """
    tensors, document = snapshot.tensors, snapshot.document
    try:
        state.network.load_state_dict(_below("network", tensors))
        state.guidance.companion.load_state_dict(_below("companion", tensors))
        if state.average is not None:
            state.average.load_state_dict(_below("average", tensors))
        _restore_moments(state.optimizer, tensors)
        state.step = int(document["step"])
        state.history = [EpochRecord(**record) for record in document["history"]]
        state.scaler.load_state_dict(document["scaler"])
        if "best" in document:
            score, negated_loss = document["best"]["rank"]
            epoch = int(document["best"]["epoch"])
            state.best = Best((score, negated_loss), epoch, _below("best", tensors))
        state.generator.set_state(tensors["generator.own"])
        torch.random.set_rng_state(tensors["generator.torch"])
        if "generator.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["generator.cuda"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamageError(f"it lacks parts of the training ({error})") from error


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    groups = optimizer.state_dict()["param_groups"]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _below("optimizer", tensors).items():
        index, _, kind = name.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:  # strided as the parameter is: equal bits, faster steps
            value = torch.empty_like(parameter, device="cpu").copy_(value)
        moments.setdefault(int(index), {})[kind] = value
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((f"{prefix}.{name}", value) for name, value in tensors.items())


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name[len(start) :]: v for name, v in tensors.items() if name.startswith(start)}
