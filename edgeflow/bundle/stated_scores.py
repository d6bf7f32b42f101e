"""Scores counted again, against those that a bundle states."""

from __future__ import annotations

from edgeflow.bundle.assemble import TEST_LABELS
from edgeflow.bundle.summary import CheckRow, ScoreRow, Summary
from edgeflow.data.score import Score, ScoreName
from edgeflow.figures import quantity
from edgeflow.gate.agreement import near

DEVICE_STAGE = "device"  # the stage of the scores that were counted from the device's answers


def compare(summary: Summary, counted: tuple[Score, ...], *, exact: bool) -> tuple[CheckRow, ...]:
    """One check a score of the device; none where the bundle neither has labels nor states any.

    Where answers are not `exact`, because an engine rounds as its processor does, a score may be a
    little worse than the stated one.
    """
    stated = {row.name: row for row in summary.all_scores if row.stage == DEVICE_STAGE}
    found = {score.name: score for score in counted}
    if not found and not summary.all_scores:
        return ()
    names = [name for name in ScoreName if name in stated or name in found]
    return tuple(
        _score(name, found.get(name), stated.get(name), exact)
        for name in names or [ScoreName.ACCURACY]
    )


def _score(
    name: ScoreName, counted: Score | None, stated: ScoreRow | None, exact: bool
) -> CheckRow:
    said = "none" if stated is None else quantity(stated.value, stated.unit)
    found = f"no {TEST_LABELS} to count it by"
    if counted is not None:
        found = quantity(counted.value, counted.unit)
    passed = False
    if counted is not None and stated is not None:
        same = counted.value == stated.value
        passed = same or (not exact and near(Score(name, stated.value), counted.value))
    detail = f"{found}, figures.json says {said}"
    return CheckRow(name=name.value, passed=passed, detail=detail)
