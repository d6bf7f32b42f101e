"""What a searched network has to reach, within what, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import mean, stdev

from benchmarks.search.counted import Counted

Runs = Mapping[str, Sequence[Counted]]
"""For each network, by its name, what every seed gave."""


class Resource(StrEnum):
    """What a limit is about; the unit is in the name."""

    INSTRUCTIONS = "instructions"
    FLASH_BYTES = "flash_bytes"
    RAM_BYTES = "ram_bytes"


@dataclass(frozen=True)
class Goal:
    """At most `share` of what `limit_of` takes; at least `floor_of`'s accuracy plus `points`.

    `points` are percentage points of the mean accuracy over the seeds.
    """

    name: str
    resource: Resource
    limit_of: str
    share: float
    floor_of: str
    points: float

    def limit(self, runs: Runs) -> int:
        """The most that the searched network may take."""
        return int(self.share * min(taken(runs[self.limit_of], self.resource)))

    def floor(self, runs: Runs) -> float:
        """The accuracy to reach."""
        return accuracy(runs[self.floor_of]) + self.points / 100


@dataclass(frozen=True)
class Outcome:
    """A goal beside what was measured: means over the seeds, and the most that any seed took."""

    goal: Goal
    limit: int
    taken: int
    floor: float
    accuracy: float
    deviation: float

    @property
    def points_above(self) -> float:
        """By how many percentage points the accuracy is above the one to reach."""
        return 100 * (self.accuracy - self.floor)

    @property
    def reached(self) -> bool:
        """Whether the mean accuracy is reached within the limit."""
        return self.taken <= self.limit and self.accuracy >= self.floor


def outcome(goal: Goal, runs: Runs) -> Outcome:
    """The goal's outcome; `runs` holds the searched network under the goal's name."""
    found = runs[goal.name]
    accuracies = [run.accuracy for run in found]
    return Outcome(
        goal=goal,
        limit=goal.limit(runs),
        taken=max(taken(found, goal.resource)),
        floor=goal.floor(runs),
        accuracy=mean(accuracies),
        deviation=stdev(accuracies) if len(accuracies) > 1 else 0.0,
    )


def accuracy(runs: Sequence[Counted]) -> float:
    """The mean over the seeds."""
    return mean(run.accuracy for run in runs)


def taken(runs: Sequence[Counted], resource: Resource) -> list[int]:
    """What every seed takes of a resource."""
    return [getattr(run, resource.value) for run in runs]
