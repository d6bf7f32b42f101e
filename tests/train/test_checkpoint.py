"""Trainings that end in the middle and go on."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import StorageError
from edgeflow.progress import ProgressEvent
from edgeflow.train import checkpoint
from edgeflow.train.checkpoint import DamageError, Keeper, Snapshot, decode, encode
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.options import TrainOptions

PLAIN = TrainOptions(epochs=5)
EVERYTHING = TrainOptions.model_validate(
    {
        "epochs": 5,
        "schedule": "cosine",
        "ema": 0.9,
        "augmentation": ["shift", "noise", "cutout", "mixup"],
    }
)


@cache
def digits() -> Dataset:
    data = load(DataOptions())

    def cut(split: Split) -> Split:
        return Split(split.x[:150], split.y[:150])

    return dataclasses.replace(data, train=cut(data.train), validation=cut(data.validation))


def network() -> nn.Module:
    """With dropout, which draws from torch's own generator, batch norm and a convolution."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(128, 10),
        )


@cache
def undisturbed(options: TrainOptions) -> TrainedNetwork:
    return fit(network(), digits(), options)


def assert_same(one: TrainedNetwork, other: TrainedNetwork) -> None:
    assert one.history == other.history
    assert (one.best_epoch, one.validation_score) == (
        other.best_epoch,
        other.validation_score,
    )
    states = one.network.state_dict(), other.network.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def interrupted(path: Path, options: TrainOptions, when: Callable[[ProgressEvent], bool]) -> None:
    def stop(event: ProgressEvent) -> None:
        if when(event):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(network(), digits(), options, stop, checkpoint=path)


def messages(path: Path, options: TrainOptions) -> list[str]:
    """What a training with this checkpoint says; its result must be the undisturbed one."""
    events: list[ProgressEvent] = []
    assert_same(
        fit(network(), digits(), options, events.append, checkpoint=path), undisturbed(options)
    )
    return [event.message for event in events]


@pytest.mark.parametrize("options", [PLAIN, EVERYTHING])
@pytest.mark.parametrize("epoch", [1, 3, 5])
def test_an_interrupted_training_goes_on_to_the_same_bits(
    options: TrainOptions, epoch: int, tmp_path: Path
) -> None:
    path = tmp_path / "work" / "checkpoint"
    interrupted(path, options, lambda event: event.done == epoch)
    told = messages(path, options)
    assert told[0] == f"goes on after epoch {epoch}, from the checkpoint"
    assert told[1:] == [f"epoch {number}" for number in range(epoch + 1, 6)]


def test_an_interrupt_inside_an_epoch_loses_that_epoch_alone(tmp_path: Path) -> None:
    path, options = tmp_path / "checkpoint", TrainOptions(epochs=2, batch_size=2, ema=0.5)
    digits_with_long_epochs = dataclasses.replace(
        digits(), train=Split(digits().train.x.repeat(2, 0), digits().train.y.repeat(2))
    )

    def stop(event: ProgressEvent) -> None:
        if event.message.startswith("epoch 2, batch 100"):
            raise KeyboardInterrupt

    data = digits_with_long_epochs
    with pytest.raises(KeyboardInterrupt):
        fit(network(), data, options, stop, checkpoint=path)
    events: list[ProgressEvent] = []
    resumed = fit(network(), data, options, events.append, checkpoint=path)
    assert events[0].message == "goes on after epoch 1, from the checkpoint"
    assert_same(resumed, fit(network(), data, options))


def test_a_training_interrupted_again_and_again_comes_to_the_same_end(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    for epoch in (1, 2, 4):
        interrupted(path, EVERYTHING, lambda event, epoch=epoch: event.done == epoch)
    assert messages(path, EVERYTHING)[0] == "goes on after epoch 4, from the checkpoint"


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    messages(path, PLAIN)
    assert messages(path, PLAIN) == ["goes on after epoch 5, from the checkpoint"]


def test_a_checkpoint_of_another_training_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    interrupted(path, TrainOptions(epochs=5, seed=1), lambda event: event.done == 2)
    told = messages(path, PLAIN)
    assert told[0] == (
        "the checkpoint is not used: it belongs to another training; training starts anew"
    )
    assert len(told) == 6


def test_a_checkpoint_of_other_data_or_another_network_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    interrupted(path, PLAIN, lambda event: event.done == 2)
    content = path.read_bytes()
    data, other = digits(), network()
    swapped = dataclasses.replace(data, train=Split(data.train.x, data.train.y[::-1].copy()))
    with torch.no_grad():
        next(other.parameters())[0] += 1.0
    for given, samples in ((network(), swapped), (other, data)):
        path.write_bytes(content)
        events: list[ProgressEvent] = []
        fit(given, samples, PLAIN, events.append, checkpoint=path)
        assert "another training" in events[0].message


def test_a_damaged_checkpoint_is_discarded_with_a_message(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    interrupted(path, PLAIN, lambda event: event.done == 2)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (b"", whole[:100], whole[:-1], bytes(flipped), pickle.dumps({"epoch": 2})):
        path.write_bytes(content)
        told = messages(path, PLAIN)
        assert told[0] == "the checkpoint is not used: it is damaged; training starts anew"


def test_a_snapshot_is_read_as_it_was_written_and_anything_else_is_refused() -> None:
    snapshot = Snapshot("of", {"a": torch.randn(3, 2), "b": torch.tensor(5)}, {"step": 7})
    content = encode(snapshot)
    assert encode(snapshot) == content
    found = decode(content)
    assert (found.identity, found.document) == ("of", {"step": 7})
    assert all(torch.equal(found.tensors[name], snapshot.tensors[name]) for name in ("a", "b"))
    import hashlib

    for payload in (b"", b"not safetensors", content[32:-8]):
        with pytest.raises(DamageError):
            decode(hashlib.sha256(payload).digest() + payload)


def test_a_checkpoint_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="could not be written"):
        fit(network(), digits(), PLAIN, checkpoint=tmp_path / "file" / "checkpoint")


def test_writing_takes_a_small_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, written = [0.0], []

    def slow_write(path: Path, snapshot: Snapshot) -> None:
        written.append(clock[0])
        clock[0] += 1.0

    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(checkpoint, "write", slow_write)
    keeper = Keeper(tmp_path / "checkpoint")
    for second in range(100):
        clock[0] = max(clock[0], float(second))
        keeper.offer(Snapshot("of", {}, {"second": second}))
    assert written == [0.0, 21.0, 42.0, 63.0, 84.0]
    keeper.flush()
    keeper.flush()
    assert len(written) == 6
