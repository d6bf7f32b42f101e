"""What the stage train of a real build leaves for people and programs."""

from __future__ import annotations

import json
from pathlib import Path

from edgeflow.bundle.summary import Summary
from edgeflow.train.sanity import Check
from tests.conftest import SHORT_BUILD


def test_every_epoch_is_a_json_line_with_rate_losses_and_score(digits_run: Path) -> None:
    lines = (digits_run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    epochs = [
        event["values"]
        for event in events
        if event["stage"] == "train" and event["message"].startswith("epoch ")
    ]
    assert len(epochs) == SHORT_BUILD["train"]["epochs"]
    wanted = {"learning_rate", "loss", "validation_loss", "validation_accuracy"}
    assert all(set(values) == wanted for values in epochs)
    assert all(isinstance(value, float) for values in epochs for value in values.values())


def test_sanity_checks_are_told_in_one_line_and_shown_in_the_report(digits_run: Path) -> None:
    lines = (digits_run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    told = [m for m in (json.loads(line)["message"] for line in lines) if m.startswith("sanity")]
    assert told == [f"sanity: {len(Check)} of {len(Check)} checks passed"]
    summary = Summary.model_validate_json((digits_run / "figures.json").read_bytes())
    assert [row.name for row in summary.sanity] == [check.value for check in Check]
    assert all(row.passed for row in summary.sanity)
    report = (digits_run / "report.html").read_text(encoding="utf-8")
    assert "Checks before training" in report
    assert all(row.name in report for row in summary.sanity)


def test_nothing_unfinished_is_left(digits_run: Path) -> None:
    assert not (digits_run / "unfinished").exists()
