"""What a search found out, as rows of the summary."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from edgeflow.figures import FigureKind


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchedCellRow(_Value):
    """A cell of the teacher: what it was, what took its place of how many, and what that adds."""

    cell: int
    was: str
    chosen: str
    candidates: int
    score: float


class SolutionRow(_Value):
    """One of the solutions that were looked at: its score, and its network's measured loss.

    `exceeds`: its build was counted and does not keep the limits, so that it was passed over.
    """

    score: float
    loss: float
    exceeds: bool = False


class FrontRow(_Value):
    """A network before fine-tuning: a solution for one budget, or one that needs no search."""

    name: str
    instructions: float
    score: float
    loss: float


class SearchRow(_Value):
    """A search: the choice and its proof, what it was to cost and what its build took.

    `bound` is the least score that any choice can have within the limits, `gap` how far the choice
    may be above it. `operators_predicted` of `operators` have no row in a profile, and
    `operators_beyond` of them are larger than those that have. `correlation` is Spearman's, of
    scores and losses over the networks that were put together.
    """

    cells: tuple[SearchedCellRow, ...]
    score: float
    bound: float
    gap: float
    status: str
    solutions: tuple[SolutionRow, ...]
    predicted: dict[str, float]
    counted: dict[str, int]
    counted_kind: FigureKind
    costs_kind: FigureKind
    operators: int
    operators_predicted: int
    operators_beyond: int
    rounds: int
    front: tuple[FrontRow, ...] = ()
    correlation: float | None = None
    correlated_networks: int = 0

    @property
    def size(self) -> int:
        """How many candidates there were, over all cells."""
        return sum(row.candidates for row in self.cells)
