"""The gate refuses what is wrong or over budget, and says by how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeflow.errors import ConfigError, ExitCode, VerdictError
from edgeflow.gate.budget import Budget
from edgeflow.gate.verdict import CheckName, Evidence, Verdict, judge, require

LABELS = np.array([0, 1, 2, 1], dtype=np.int64)
ANSWERS = np.array([[9, 1, 1], [0, 9, 0], [0, 0, 9], [9, 0, 0]], dtype=np.int8)
EVIDENCE = Evidence(ANSWERS, ANSWERS, ANSWERS, LABELS, 1000, 2000, 300)


def failed(verdict: Verdict) -> set[CheckName]:
    return {check.name for check in verdict.checks if not check.passed}


def test_equal_answers_within_no_budget_pass_and_accuracy_is_counted_from_the_device() -> None:
    verdict = judge(EVIDENCE, Budget())
    assert verdict.passed
    assert verdict.accuracy == 0.75
    assert verdict.images == 4


def test_one_different_logit_is_refused_even_where_the_class_is_the_same() -> None:
    device = ANSWERS.copy()
    device[2, 0] = 1
    verdict = judge(replace(EVIDENCE, device=device), Budget())
    assert failed(verdict) == {CheckName.BIT_EXACT}
    with pytest.raises(VerdictError, match="1 of 4 images differ; the first is image 2, output 0"):
        require(verdict)


def test_a_host_difference_is_refused() -> None:
    assert failed(judge(replace(EVIDENCE, host=ANSWERS + np.int8(1)), Budget())) == {
        CheckName.HOST_BIT_EXACT
    }


def test_an_artifact_that_does_not_run_on_the_host_is_judged_by_the_device_alone() -> None:
    verdict = judge(replace(EVIDENCE, host=None), Budget())
    assert verdict.passed
    assert CheckName.HOST_BIT_EXACT not in {check.name for check in verdict.checks}


def test_a_difference_says_how_large_it_is_and_what_the_engine_remarks() -> None:
    device = ANSWERS.copy()
    device[1, 1] -= 3
    verdict = judge(replace(EVIDENCE, device=device), Budget(flash_bytes=1))
    with pytest.raises(VerdictError, match=r"the largest difference is 3.*\(it rounds twice\)"):
        require(verdict, "it rounds twice")
    with pytest.raises(VerdictError) as caught:
        require(judge(replace(EVIDENCE, device=device), Budget()))
    assert "budget" not in caught.value.hint
    with pytest.raises(VerdictError) as caught:
        require(judge(EVIDENCE, Budget(flash_bytes=1)), "it rounds twice")
    assert "rounds" not in caught.value.message


def test_missing_answers_are_refused() -> None:
    assert CheckName.BIT_EXACT in failed(judge(replace(EVIDENCE, device=ANSWERS[:3]), Budget()))


@pytest.mark.parametrize(
    ("budget", "name", "words"),
    [
        (Budget(instructions=999), CheckName.INSTRUCTIONS, "1 over the budget of 999"),
        (Budget(flash_bytes=1000), CheckName.FLASH, "1,000 over the budget of 1,000 (100.0%)"),
        (Budget(ram_bytes=299), CheckName.RAM, "1 over"),
        (Budget(accuracy=0.8), CheckName.ACCURACY, "5.00 points below the wanted 80.00%"),
    ],
)
def test_a_budget_that_is_missed_says_by_how_much(
    budget: Budget, name: CheckName, words: str
) -> None:
    verdict = judge(EVIDENCE, budget)
    assert failed(verdict) == {name}
    with pytest.raises(VerdictError) as caught:
        require(verdict)
    assert words in caught.value.message
    assert caught.value.exit_code is ExitCode.NEGATIVE_VERDICT


def test_a_budget_that_is_met_exactly_passes() -> None:
    budget = Budget(instructions=1000, flash_bytes=2000, ram_bytes=300, accuracy=0.75)
    assert judge(EVIDENCE, budget).passed


UNLABELLED = replace(EVIDENCE, labels=None)


def test_without_labels_bits_and_budgets_are_judged_and_no_accuracy_is_counted() -> None:
    verdict = judge(UNLABELLED, Budget(flash_bytes=2000))
    assert verdict.passed
    assert (verdict.accuracy, verdict.images) == (None, 4)
    assert CheckName.ACCURACY not in {check.name for check in verdict.checks}
    device = ANSWERS.copy()
    device[3, 2] = 1
    wrong = judge(replace(UNLABELLED, device=device), Budget(flash_bytes=1999))
    assert failed(wrong) == {CheckName.BIT_EXACT, CheckName.FLASH}


def test_a_budget_of_accuracy_without_labels_is_no_verdict_but_an_error() -> None:
    with pytest.raises(ConfigError, match="no labels"):
        judge(UNLABELLED, Budget(accuracy=0.0))


def _evidence_of_a_program(latency_seconds: float | None) -> Evidence:
    answers = np.zeros((4, 3), np.int8)
    return Evidence(
        expected=answers,
        device=answers,
        host=None,
        labels=None,
        instructions=None,
        flash_bytes=1000,
        ram_bytes=100,
        latency_seconds=latency_seconds,
    )


@pytest.mark.parametrize(("limit", "passed"), [(None, True), (0.002, True), (0.0011, False)])
def test_time_is_held_against_its_budget(limit: float | None, passed: bool) -> None:
    verdict = judge(_evidence_of_a_program(0.0012), Budget(latency_seconds=limit))
    (check,) = [check for check in verdict.checks if check.name is CheckName.LATENCY]
    assert check.passed is passed
    assert check.detail.startswith("1.2 ms")
    assert CheckName.INSTRUCTIONS not in {check.name for check in verdict.checks}


def test_a_budget_of_what_a_device_does_not_tell_is_not_kept() -> None:
    verdict = judge(_evidence_of_a_program(None), Budget(instructions=5, latency_seconds=1.0))
    untold = {check.name for check in verdict.checks if not check.passed}
    assert untold == {CheckName.INSTRUCTIONS, CheckName.LATENCY}
