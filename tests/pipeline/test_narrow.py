"""`[narrow] width`: a network that starts from a wider twin goes through to the device."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeflow.bundle.summary import Summary
from edgeflow.errors import ConfigError
from edgeflow.pipeline.build import build
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.plan import make_plan
from edgeflow.pipeline.stages import NARROWED_STAGES
from edgeflow.pipeline.steps import report
from edgeflow.progress import ProgressEvent

QUICK = {
    "narrow": {"width": 2, "wide_epochs": 1, "imitation_epochs": 1, "output_epochs": 1},
    "train": {"epochs": 2},
    "quantize": {"epochs": 0},
}


def configured(**sections: dict[str, object]) -> Config:
    return from_values({**QUICK, **sections}, "test")


def test_a_narrowed_network_is_verified_on_the_device(tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    result = build(configured(), tmp_path, events.append)
    assert result.refusal is None
    summary = Summary.model_validate_json((result.outputs["report"] / report.SUMMARY).read_bytes())
    assert summary.passed
    assert [row.epoch for row in summary.epochs if row.stage == "training"] == [1, 2]
    told = {event.message for event in events}
    assert {"wide twin, epoch 1", "block 1 of 3 imitates its wide twin"} <= told


def test_width_one_is_a_build_without_a_twin() -> None:
    assert make_plan(from_values({}, "test")).stages != NARROWED_STAGES
    assert make_plan(configured()).stages == NARROWED_STAGES


def test_another_width_is_another_training() -> None:
    first, second = (
        make_plan(configured(narrow={"width": width})).option("narrow") for width in (2, 3)
    )
    assert first != second


def test_networks_of_others_have_no_twin() -> None:
    with pytest.raises(ConfigError, match="only networks of edgeflow have a twin") as caught:
        make_plan(configured(build={"model": "tests.nets.modules:Plain"}))
    assert "[narrow] width = 1" in caught.value.hint


def test_growing_and_narrowing_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="a build does one of them"):
        configured(grow={"enabled": True})
