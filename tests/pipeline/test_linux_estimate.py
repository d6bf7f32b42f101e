"""Times of a board that is not at hand, from its profiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeflow.lower.untrained import untrained_graph
from edgeflow.nets.registry import specify
from edgeflow.pipeline.linux_estimate import profiled_seconds
from edgeflow.pipeline.linux_profiling import meter_for
from edgeflow.profiles import registry
from edgeflow.targets.registry import load
from tests.devices.aarch64 import needs_x86_64

SHIPPED = "linux-x86_64/example"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's profiles: the shipped example as if it came from a board."""
    document = json.loads(registry.load(SHIPPED).model_dump_json())
    document["header"]["target"] = "raspberry-pi-4"
    (tmp_path / "raspberry-pi-4").mkdir()
    (tmp_path / "raspberry-pi-4" / "example.json").write_text(json.dumps(document))
    monkeypatch.setenv("EDGEFLOW_PROFILES_PATH", str(tmp_path))
    return tmp_path


def test_the_time_is_the_sum_of_the_rows(folder: Path) -> None:
    graph = untrained_graph(specify("small", (16, 16, 1), 10))
    found = profiled_seconds(graph, load("raspberry-pi-4"))
    assert found is not None
    seconds, source = found
    rows = {row.key: row.median for row in registry.load(SHIPPED).rows}
    assert 0 < seconds < 2 * sum(rows.values())
    assert "raspberry-pi-4/example" in source


@pytest.mark.parametrize("target", [pytest.param("linux-x86_64", marks=needs_x86_64)])
def test_an_estimate_is_near_a_measurement_of_that_machine(target: str) -> None:
    """Of the same order on any x86 machine, whose speed is not that of the example's."""
    graph = untrained_graph(specify("small", (16, 16, 1), 10))
    found = profiled_seconds(graph, load(target))
    assert found is not None
    measured = meter_for(load(target), None).measure(graph, 2, 0).whole.min()
    assert 0.01 < found[0] / measured < 100


def test_a_board_without_a_profile_of_seconds_has_no_estimate() -> None:
    graph = untrained_graph(specify("small", (8, 8, 1), 10))
    assert profiled_seconds(graph, load("raspberry-pi-5")) is None
    assert profiled_seconds(graph, load("cortex-m4")) is None


def test_profiles_of_two_boards_are_not_mixed(folder: Path) -> None:
    path = folder / "raspberry-pi-4" / "example.json"
    document = json.loads(path.read_text())
    document["name"], document["header"]["device"] = "other", "another board"
    (path.parent / "other.json").write_text(json.dumps(document))
    graph = untrained_graph(specify("small", (16, 16, 1), 10))
    assert profiled_seconds(graph, load("raspberry-pi-4")) is None
