"""The verdict: whether the device's own answers and costs make the artifact deployable."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.score import Better, Score, ScoreName, accuracy
from edgeflow.errors import VerdictError
from edgeflow.figures import Unit, quantity
from edgeflow.gate.agreement import agreement, objection
from edgeflow.gate.budget import LIMITED, Budget, require_countable, score_limit
from edgeflow.gate.scoring import Scoring, score_answers

__all__ = ["Check", "CheckName", "Evidence", "Verdict", "accuracy", "judge", "require"]

Int8 = NDArray[np.int8]


class CheckName(StrEnum):
    """What the gate looks at."""

    BIT_EXACT = "device bit-exact with the interpreter"
    HOST_BIT_EXACT = "host build bit-exact with the interpreter"
    AGREES = "answers on the device as near as the task asks"
    ACCURACY = "accuracy on the device"
    RMSE = "RMSE on the device"
    AUC = "AUC on the device"
    INSTRUCTIONS = "instructions per inference"
    LATENCY = "latency"
    CLOCK = "clock of the routed design"
    FLASH = "flash"
    RAM = "RAM"


_OF_SCORE = {
    ScoreName.ACCURACY: CheckName.ACCURACY,
    ScoreName.RMSE: CheckName.RMSE,
    ScoreName.AUC: CheckName.AUC,
}
_EQUALITIES = frozenset({CheckName.BIT_EXACT, CheckName.HOST_BIT_EXACT, CheckName.AGREES})


@dataclass(frozen=True)
class Check:
    """One comparison: `value` against `limit` (None where the check is not a limit)."""

    name: CheckName
    passed: bool
    value: float
    limit: float | None
    unit: Unit
    detail: str


@dataclass(frozen=True)
class Evidence:
    """What was obtained from the device: answers int8[N, outputs] and costs of the artifact.

    `host` is None where the artifact does not run on the host. `labels` (target values in their
    unit, for regression) is None where the data has none: bit-exactness and costs are all there is
    to judge. `scoring` says how answers are read.
    `ram_bytes` is static data plus the stack's high-water mark; `instructions` the largest count of
    one inference, `latency_seconds` its median time; any is None where a device does not tell.
    `exact` is False for an engine that rounds in its own way, whose answers are held to the task's
    score.
    """

    expected: Int8
    device: Int8
    host: Int8 | None
    labels: NDArray[Any] | None
    instructions: int | None
    flash_bytes: int | None
    ram_bytes: int | None
    scoring: Scoring = field(default_factory=Scoring)
    latency_seconds: float | None = None
    exact: bool = True


@dataclass(frozen=True)
class Verdict:
    """All checks, and the scores counted from the device's answers (none without labels)."""

    checks: tuple[Check, ...]
    scores: tuple[Score, ...]
    images: int

    @property
    def accuracy(self) -> float | None:
        """The accuracy, of a classifier with labels."""
        counted = (score.value for score in self.scores if score.name is ScoreName.ACCURACY)
        return next(counted, None)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def judge(evidence: Evidence, budget: Budget) -> Verdict:
    """Compare every answer with the interpreter's and every cost with its budget.

    Raises ConfigError for a budget of a score that the task has not, or without labels.
    """
    task = evidence.scoring.postprocessing.task
    require_countable(budget, None if evidence.labels is None else task)
    counted = score_answers(evidence.device, evidence.labels, evidence.scoring)
    limit = score_limit(budget, task)
    checks = [
        _answers(evidence, counted),
        *(
            []
            if evidence.host is None
            else [_equality(CheckName.HOST_BIT_EXACT, evidence.expected, evidence.host)]
        ),
        *([] if evidence.labels is None else [_score(LIMITED[task][1], counted, limit)]),
        *_costs(evidence, budget),
        *_size(CheckName.FLASH, evidence.flash_bytes, budget.flash_bytes),
        *_size(CheckName.RAM, evidence.ram_bytes, budget.ram_bytes),
    ]
    return Verdict(tuple(checks), counted, len(evidence.expected))


def require(verdict: Verdict, remark: str = "") -> None:
    """Raise VerdictError with every failed check and by how much it failed.

    `remark` is what the engine that made the artifact says about answers that differ.
    """
    failed = [check for check in verdict.checks if not check.passed]
    if failed:
        lines = "; ".join(f"{check.name}: {check.detail}" for check in failed)
        if remark and any(check.name is CheckName.BIT_EXACT for check in failed):
            lines += f" ({remark})"
        over_budget = any(check.name not in _EQUALITIES for check in failed)
        advice = "loosen the budget, choose a smaller network, or train longer; "
        raise VerdictError(
            f"the gate refuses the artifact: {lines}",
            hint=f"{advice if over_budget else ''}report.html in the run directory shows every "
            "figure",
        )


def _answers(evidence: Evidence, counted: tuple[Score, ...]) -> Check:
    """The check of the device's answers against the interpreter's."""
    if evidence.exact:
        return _equality(CheckName.BIT_EXACT, evidence.expected, evidence.device)
    found = agreement(evidence.expected, evidence.device)
    wanted = score_answers(evidence.expected, evidence.labels, evidence.scoring)
    refused = objection(found, wanted, counted)
    detail = f"{refused}; {found.told}" if refused else found.told
    wrong = found.images - found.equal
    return Check(CheckName.AGREES, not refused, wrong, None, Unit.COUNT, detail)


def _equality(name: CheckName, expected: Int8, answers: Int8) -> Check:
    images = len(expected)
    if answers.shape != expected.shape:
        detail = f"answers of shape {answers.shape}, expected {expected.shape}"
        return Check(name, False, images, 0, Unit.COUNT, detail)
    different = (expected != answers).reshape(images, -1)
    wrong = int(np.count_nonzero(different.any(axis=1)))
    if wrong == 0:
        return Check(name, True, 0, 0, Unit.COUNT, f"all {images} images equal")
    image, value = (int(i) for i in np.argwhere(different)[0])
    got = answers.reshape(images, -1)[image, value]
    want = expected.reshape(images, -1)[image, value]
    largest = int(np.abs(answers.astype(np.int16) - expected.astype(np.int16)).max())
    detail = (
        f"{wrong} of {images} images differ; "
        f"the first is image {image}, output {value}: {got}, interpreter {want}; "
        f"the largest difference is {largest}"
    )
    return Check(name, False, wrong, 0, Unit.COUNT, detail)


def _costs(evidence: Evidence, budget: Budget) -> list[Check]:
    """Instructions and time, where the device tells them. A budget of the other one fails."""
    checks = []
    counted, limit = evidence.instructions, budget.instructions
    if counted is not None:
        checks.append(_at_most(CheckName.INSTRUCTIONS, counted, limit, Unit.INSTRUCTIONS))
    elif limit is not None:
        checks.append(_untold(CheckName.INSTRUCTIONS, limit, Unit.INSTRUCTIONS))
    latency, longest = evidence.latency_seconds, budget.latency_seconds
    if latency is not None:
        checks.append(_in_time(latency, longest))
    elif longest is not None:
        checks.append(_untold(CheckName.LATENCY, longest, Unit.SECONDS))
    return checks


def _size(name: CheckName, value: int | None, limit: int | None) -> list[Check]:
    """Bytes, where they are known. A budget of others fails."""
    if value is not None:
        return [_at_most(name, value, limit, Unit.BYTES)]
    return [] if limit is None else [_untold(name, limit, Unit.BYTES)]


def _untold(name: CheckName, limit: float, unit: Unit) -> Check:
    return Check(name, False, 0.0, limit, unit, "the device does not tell it")


def _in_time(seconds: float, limit: float | None) -> Check:
    shown, unit = quantity(seconds, Unit.SECONDS), Unit.SECONDS
    if limit is None:
        return Check(CheckName.LATENCY, True, seconds, None, unit, f"{shown} (no budget)")
    wanted = quantity(limit, unit)
    if seconds <= limit:
        return Check(CheckName.LATENCY, True, seconds, limit, unit, f"{shown} of {wanted}")
    detail = f"{shown}, {seconds / limit - 1:.1%} over the budget of {wanted}"
    return Check(CheckName.LATENCY, False, seconds, limit, unit, detail)


def _at_most(name: CheckName, value: int, limit: int | None, unit: Unit) -> Check:
    if limit is None:
        return Check(name, True, value, None, unit, f"{value:,} {unit} (no budget)")
    if value <= limit:
        return Check(name, True, value, limit, unit, f"{value:,} of {limit:,} {unit}")
    over = value - limit
    detail = f"{value:,} {unit}, {over:,} over the budget of {limit:,} ({over / limit:.1%})"
    return Check(name, False, value, limit, unit, detail)


def _score(name: ScoreName, counted: tuple[Score, ...], limit: float | None) -> Check:
    """The check of the task's own score; answers of another shape have none, and fail a limit."""
    check = _OF_SCORE[name]
    score = next((score for score in counted if score.name is name), None)
    if score is None:
        detail = f"the answers have another shape than {name} is counted from"
        return Check(check, False, 0.0, limit, Unit.COUNT, detail)
    shown = quantity(score.value, score.unit)
    if limit is None:
        return Check(check, True, score.value, None, score.unit, f"{shown} (no budget)")
    wanted = quantity(limit, score.unit)
    larger = score.better is Better.LARGER
    if score.value >= limit if larger else score.value <= limit:
        detail = f"{shown}, at {'least' if larger else 'most'} {wanted} wanted"
        return Check(check, True, score.value, limit, score.unit, detail)
    missed = abs(limit - score.value)
    amount = f"{missed * 100:.2f} points" if score.unit is Unit.FRACTION else f"{missed:.4g}"
    detail = f"{shown}, {amount} {'below' if larger else 'above'} the wanted {wanted}"
    return Check(check, False, score.value, limit, score.unit, detail)
