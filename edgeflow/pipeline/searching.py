"""The choice of a search: solved by estimates, counted on the device, solved anew if they err."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import InfeasibleError
from edgeflow.grow.cost import DeviceCost, Limits
from edgeflow.progress import Progress, ProgressEvent
from edgeflow.search.costs import CandidateCosts
from edgeflow.search.formulate import formulate
from edgeflow.search.infeasible import NoChoiceError
from edgeflow.search.problem import Solution
from edgeflow.search.program import solve_diverse
from edgeflow.search.space import Choice, Space

STAGE = "search"
_ROUNDS = 6
_MARGIN = 0.001
# Builds are counted before training, which leaves channels whose scales cost a little more: a
# network of 4,162,492 instructions took 4,180,945 after it.
_TRAINED = 0.01
# Some of them ask for another kernel beside the usual one: 1,008 bytes of flash on a Cortex-M4, and
# 32 more of stack.
_TRAINED_FLASH_BYTES = 1024
_TRAINED_RAM_BYTES = 32


@dataclass(frozen=True, eq=False)
class Question:
    """What is searched: a space with scores and costs, within limits; `solutions` are looked at.

    `loss(choice)` measures the loss of the assembled network, `count(choice)` what its build takes
    of the device (None where it does not fit).
    """

    space: Space
    scores: Sequence[NDArray[np.float64]]
    costs: CandidateCosts
    limits: Limits
    solutions: int
    overlap: float
    loss: Callable[[Choice], float]
    count: Callable[[Choice], DeviceCost | None]


@dataclass(frozen=True)
class Looked:
    """A solution of the program, the loss of its network, and what the network takes.

    `exceeds`: its build was counted and does not keep the limits, so that it was passed over.
    """

    solution: Solution
    loss: float
    predicted: Mapping[str, float]
    exceeds: bool = False


@dataclass(frozen=True)
class Answer:
    """The solutions of a round, the chosen one first, and what that one really takes.

    The others follow in the order of their losses; those with a lower loss than the chosen one
    exceed the limits.

    `limits` are those that the program was given, corrected by what builds took.
    """

    looked: tuple[Looked, ...]
    counted: DeviceCost
    limits: Limits
    rounds: int

    @property
    def choice(self) -> Choice:
        """The candidates of the best."""
        return self.looked[0].solution.choice


def search(question: Question, progress: Progress) -> Answer:
    """The best of several diverse solutions whose build keeps the limits.

    Estimates of layers leave out what a build does as a whole (row by row execution, shared
    kernels), and those without a row may be wrong. So solutions are built in the order of their
    losses until a build keeps the limits, and the limits of the program are corrected by what the
    best one's build takes, until the program gives a choice again. Raises NoChoiceError
    (InfeasibleError) where no choice keeps them.
    """
    question = replace(question, limits=_before_training(question.limits))
    limits, kept = question.limits, None
    seen: set[Choice] = set()
    for number in range(1, _ROUNDS + 1):
        try:
            looked = _look(question, limits)
        except NoChoiceError:
            if kept is None:
                raise
            break
        best = looked[0]
        if best.solution.choice in seen:
            break
        seen.add(best.solution.choice)
        counted = question.count(best.solution.choice)
        _tell(progress, number, best, counted)
        if counted is None:
            raise InfeasibleError(
                "the network that was found does not fit the target's memory",
                hint="give --budget flash= or --budget ram= below what the target has",
            )
        found = _first_kept(question, looked, counted, kept)
        if found is not None:
            index, taken = found
            passed_over = [replace(each, exceeds=True) for each in looked[:index]]
            ordered = (looked[index], *passed_over, *looked[index + 1 :])
            kept = Answer(ordered, taken, limits, number)
        limits = _corrected(question.limits, best.predicted, counted)
    if kept is None:
        raise InfeasibleError(
            f"no build of {_ROUNDS} keeps the limits, though the estimates do",
            hint="relax the budget by a few percent",
        )
    return kept


def _first_kept(
    question: Question, looked: Sequence[Looked], first: DeviceCost, kept: Answer | None
) -> tuple[int, DeviceCost] | None:
    """The first solution whose build keeps the limits, of those better than what is kept.

    `first` is what the build of the first one takes.
    """
    for index, each in enumerate(looked):
        if kept is not None and each.loss >= kept.looked[0].loss:
            return None
        taken = first if index == 0 else question.count(each.solution.choice)
        if taken is not None and question.limits.allow(taken):
            return index, taken
    return None


def _before_training(limits: Limits) -> Limits:
    """The limits with room for what training adds."""
    instructions, flash, ram = limits.instructions, limits.flash_bytes, limits.ram_bytes
    return Limits(
        instructions=None if instructions is None else int((1.0 - _TRAINED) * instructions),
        flash_bytes=None if flash is None else max(flash - _TRAINED_FLASH_BYTES, 0),
        ram_bytes=None if ram is None else max(ram - _TRAINED_RAM_BYTES, 0),
    )


def _look(question: Question, limits: Limits) -> tuple[Looked, ...]:
    problem = formulate(question.space, question.scores, question.costs, limits)
    found = solve_diverse(problem, question.solutions, overlap=question.overlap)
    looked = [
        Looked(solution, question.loss(solution.choice), predicted(question.costs, solution.choice))
        for solution in found
    ]
    return tuple(sorted(looked, key=lambda each: each.loss))


def predicted(costs: CandidateCosts, choice: Choice) -> dict[str, float]:
    """Instructions, flash_bytes and ram_bytes of a choice, by the estimates."""

    def taken(rows: Sequence[NDArray[np.float64]]) -> list[float]:
        return [float(own[index]) for own, index in zip(rows, choice, strict=True)]

    return {
        "instructions": costs.fixed_instructions + sum(taken(costs.instructions)),
        "flash_bytes": costs.fixed_flash_bytes + sum(taken(costs.flash_bytes)),
        "ram_bytes": max([costs.fixed_ram_bytes, *taken(costs.ram_bytes)]),
    }


def _corrected(asked: Limits, told: Mapping[str, float], counted: DeviceCost) -> Limits:
    """Limits under which an equal error of the estimates would lead to what was asked for.

    Where a build took too much, a little less: the next one shall not exceed it by a few bytes.
    """
    values: dict[str, int | None] = {}
    for name in ("instructions", "flash_bytes", "ram_bytes"):
        most = getattr(asked, name)
        if most is not None:
            taken = getattr(counted, name)
            margin = _MARGIN * most if taken > most else 0.0
            most = int(most + told[name] - taken - margin)
        values[name] = most
    return Limits(**values)


def _tell(progress: Progress, number: int, best: Looked, counted: DeviceCost | None) -> None:
    taken = "does not fit" if counted is None else f"{counted.instructions:,} instructions"
    told = best.predicted["instructions"]
    progress(
        ProgressEvent(
            STAGE,
            f"round {number}: loss {best.loss:.4f}, {taken} counted ({told:,.0f} estimated), "
            f"{best.solution.status}, gap {best.solution.gap:.2%}",
        )
    )
