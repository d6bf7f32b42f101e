"""In which order the candidates of a cell learn, and what each of them starts from."""

from __future__ import annotations

from dataclasses import dataclass

from edgeflow.search.imitate import Pace
from edgeflow.search.options import PoolOptions
from edgeflow.search.space import Candidate, SearchedCell, widest_of_families


@dataclass(frozen=True)
class Lesson:
    """A candidate, by its index, that learns.

    It starts from the candidate `start`, cut to its own width where that is wider, and from random
    weights where it is None.
    """

    candidate: int
    start: int | None


@dataclass(frozen=True)
class Stage:
    """Lessons that need what the stages before gave."""

    lessons: tuple[Lesson, ...]
    pace: Pace


def plan(cell: SearchedCell, options: PoolOptions) -> tuple[Stage, ...]:
    """First the widest of each family, then what is cut from it, then fewer bits of weights.

    The first candidate is the teacher's cell and learns nothing; nor does what has no cells.
    """
    most_bits = max(candidate.weight_bits for candidate in cell.candidates)
    whole = {
        candidate.cells: index
        for index, candidate in enumerate(cell.candidates)
        if candidate.weight_bits == most_bits and candidate.cells
    }
    widest = {
        family: whole[candidate.cells]
        for family, candidate in widest_of_families(cell.candidates).items()
        if candidate.cells
    }
    first = [Lesson(index, None) for index in widest.values() if index != 0]
    second = [
        Lesson(index, widest[cell.candidates[index].family])
        for index in whole.values()
        if index not in widest.values()
    ]
    third = [
        Lesson(index, whole[candidate.cells])
        for index, candidate in enumerate(cell.candidates)
        if candidate.weight_bits < most_bits
    ]
    decay = options.weight_decay
    return (
        Stage(tuple(first), Pace(options.steps, options.learning_rate, decay)),
        Stage(tuple(second), Pace(options.narrower_steps, options.narrower_learning_rate, decay)),
        Stage(
            tuple(third), Pace(options.fewer_bits_steps, options.fewer_bits_learning_rate, decay)
        ),
    )


def is_cut(wide: Candidate, narrow: Candidate) -> bool:
    """Whether one candidate has more channels inside than the other of its family."""
    return wide.family == narrow.family and wide.width > narrow.width
