"""The verdict: whether the device's own answers and costs make the artifact deployable."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import VerdictError
from edgeflow.figures import Unit
from edgeflow.gate.budget import Budget, accuracy_needs_labels

Int8 = NDArray[np.int8]


class CheckName(StrEnum):
    """What the gate looks at."""

    BIT_EXACT = "device bit-exact with the interpreter"
    HOST_BIT_EXACT = "host build bit-exact with the interpreter"
    ACCURACY = "accuracy on the device"
    INSTRUCTIONS = "instructions per inference"
    FLASH = "flash"
    RAM = "RAM"


_EQUALITIES = frozenset({CheckName.BIT_EXACT, CheckName.HOST_BIT_EXACT})


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

    `host` is None where the artifact does not run on the host. `labels` is None where the data has
    none: bit-exactness and costs are all there is to judge.
    `ram_bytes` is static data plus the stack's high-water mark; `instructions` the largest count of
    one inference.
    """

    expected: Int8
    device: Int8
    host: Int8 | None
    labels: NDArray[np.int64] | None
    instructions: int
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class Verdict:
    """All checks and the accuracy counted from the device's answers (None without labels)."""

    checks: tuple[Check, ...]
    accuracy: float | None
    images: int

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def accuracy(answers: Int8, labels: NDArray[np.int64]) -> float:
    """Fraction of labels whose answer's largest value (the first of equals) is at their index.

    A label without an answer counts as wrong.
    """
    classes = np.argmax(answers.reshape(len(answers), -1), axis=1)[: len(labels)]
    return int(np.count_nonzero(classes == labels[: len(classes)])) / len(labels)


def judge(evidence: Evidence, budget: Budget) -> Verdict:
    """Compare every answer with the interpreter's and every cost with its budget.

    Raises ConfigError for a budget of accuracy without labels to count it by.
    """
    counted = None if evidence.labels is None else accuracy(evidence.device, evidence.labels)
    if counted is None and budget.accuracy is not None:
        raise accuracy_needs_labels(budget)
    checks = [
        _equality(CheckName.BIT_EXACT, evidence.expected, evidence.device),
        *(
            []
            if evidence.host is None
            else [_equality(CheckName.HOST_BIT_EXACT, evidence.expected, evidence.host)]
        ),
        *([] if counted is None else [_at_least(CheckName.ACCURACY, counted, budget.accuracy)]),
        _at_most(
            CheckName.INSTRUCTIONS, evidence.instructions, budget.instructions, Unit.INSTRUCTIONS
        ),
        _at_most(CheckName.FLASH, evidence.flash_bytes, budget.flash_bytes, Unit.BYTES),
        _at_most(CheckName.RAM, evidence.ram_bytes, budget.ram_bytes, Unit.BYTES),
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


def _at_most(name: CheckName, value: int, limit: int | None, unit: Unit) -> Check:
    if limit is None:
        return Check(name, True, value, None, unit, f"{value:,} {unit} (no budget)")
    if value <= limit:
        return Check(name, True, value, limit, unit, f"{value:,} of {limit:,} {unit}")
    over = value - limit
    detail = f"{value:,} {unit}, {over:,} over the budget of {limit:,} ({over / limit:.1%})"
    return Check(name, False, value, limit, unit, detail)


def _at_least(name: CheckName, value: float, limit: float | None) -> Check:
    if limit is None:
        return Check(name, True, value, None, Unit.FRACTION, f"{value:.2%} (no budget)")
    if value >= limit:
        return Check(
            name, True, value, limit, Unit.FRACTION, f"{value:.2%}, at least {limit:.2%} wanted"
        )
    detail = f"{value:.2%}, {(limit - value) * 100:.2f} points below the wanted {limit:.2%}"
    return Check(name, False, value, limit, Unit.FRACTION, detail)
