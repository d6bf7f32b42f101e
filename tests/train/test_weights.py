from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from torch import nn

from edgeflow.errors import ModelError, StorageError
from edgeflow.nets.registry import build
from edgeflow.train.fit import EpochRecord, TrainedNetwork
from edgeflow.train.weights import load, save


def network(seed: int) -> nn.Module:
    return build("small", (8, 8, 1), 10, seed)


def trained(module: nn.Module) -> TrainedNetwork:
    return TrainedNetwork(module, (EpochRecord(1, 0.01, 2.5, 2.25, 0.125),), 1, 0.125)


def test_weights_and_history_survive_bit_for_bit(tmp_path: Path) -> None:
    original = trained(network(0))
    save(original, tmp_path / "w")
    result = load(network(1), tmp_path / "w")
    states = original.network.state_dict(), result.network.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert (result.history, result.best_epoch) == (original.history, original.best_epoch)
    assert result.validation_score == original.validation_score


def test_equal_networks_give_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        save(trained(network(0)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save(trained(network(0)), tmp_path / "w")
    with pytest.raises(ModelError, match="weights of another network"):
        load(build("mlperf-resnet8", (8, 8, 1), 10, 0), tmp_path / "w")


def test_nan_in_a_file_is_refused(tmp_path: Path) -> None:
    module = network(0)
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    save(trained(module), tmp_path / "w")
    with pytest.raises(ModelError, match="NaN"):
        load(network(0), tmp_path / "w")


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(ModelError, match="not a weights file"):
        load(network(0), tmp_path / "w")


def test_altered_files_are_read_or_refused(tmp_path: Path) -> None:
    save(trained(network(0)), tmp_path / "w")
    original = (tmp_path / "w").read_bytes()
    generator = random.Random(0)
    refused = 0
    for _ in range(100):
        data = bytearray(original)
        data[generator.randrange(2500)] = generator.randrange(256)
        (tmp_path / "w").write_bytes(data)
        try:
            load(network(0), tmp_path / "w")
        except ModelError:
            refused += 1
    assert refused


def test_unwritable_place_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"):
        save(trained(network(0)), tmp_path / "absent" / "w")
