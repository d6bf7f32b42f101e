"""The summary: everything that a build found out, as one document (`figures.json`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edgeflow.bundle.race_rows import RaceRow
from edgeflow.bundle.search_rows import SearchRow
from edgeflow.data.score import MEANINGS, Better, ScoreName
from edgeflow.data.task import Task
from edgeflow.figures import FigureKind, Unit


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FigureRow(_Value):
    """A named number with unit, kind and source (`figures.Figure` on disk)."""

    name: str
    value: float
    unit: Unit
    kind: FigureKind
    source: str


class AccuracyRow(_Value):
    """Accuracy (fraction) of the network at one stage on one split of the data."""

    stage: str
    split: str
    value: float = Field(ge=0.0, le=1.0)
    images: int = Field(gt=0)
    kind: FigureKind
    source: str


class ScoreRow(_Value):
    """A score of the network at one stage on one split of the data.

    `name` and `unit` are those of `edgeflow.data.score`; `better` says which direction is better.
    """

    name: ScoreName
    stage: str
    split: str
    value: float
    unit: Unit
    better: Better
    images: int = Field(gt=0)
    kind: FigureKind
    source: str


class LayerRow(_Value):
    """One layer on the device; `signature` is the key under which a profile holds such a layer.

    `instructions` where the device counts, `seconds` where it tells time; None where it does not.
    """

    name: str
    symbol: str
    operator: str
    signature: str
    output_shape: tuple[int, ...]
    macs: int = Field(ge=0)
    instructions: float | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    weight_bytes: int = Field(ge=0)
    output_bytes: int = Field(ge=0)


class ArenaKind(StrEnum):
    """What takes a place in the arena."""

    TENSOR = "tensor"
    ROWS = "rows of a tensor"
    SCRATCH = "working memory"


class ArenaRow(_Value):
    """What takes a place in the arena, from its first to its last layer, both included.

    `tensor` is a tensor, whole or some rows of it, or the layer that the working memory is for.
    """

    tensor: str
    kind: ArenaKind = ArenaKind.TENSOR
    offset_bytes: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    first_layer: int
    last_layer: int


class PeakRow(_Value):
    """The step that needs most of the arena: its layers, the tensors then live, and the rest.

    `row_bytes` are rows of tensors that are not whole, `scratch_bytes` working memory of kernels.
    """

    first_layer: int
    last_layer: int
    operators: str
    tensors: tuple[str, ...]
    row_bytes: int = Field(ge=0)
    scratch_bytes: int = Field(ge=0)


class SegmentRow(_Value):
    """Layers that run row by row, `rows` at a time, with `buffer_bytes` for rows between them."""

    first_layer: int
    last_layer: int
    rows: int = Field(gt=0)
    buffer_bytes: int = Field(ge=0)


class RegionRow(_Value):
    """A memory region of the target and what occupies it, in bytes by name."""

    name: str
    capacity_bytes: int = Field(gt=0)
    used: dict[str, int]


class CheckRow(_Value):
    """One check of the gate, or before training."""

    name: str
    passed: bool
    detail: str


class EpochRow(_Value):
    """One epoch of training or fine-tuning, and its score on the validation part.

    `accuracy` of classification, `r2` of regression, and of reconstruction in anomaly detection.
    """

    stage: str
    epoch: int
    loss: float
    accuracy: float | None = None
    r2: float | None = None

    @property
    def score(self) -> float:
        """The one of the task."""
        found = self.r2 if self.accuracy is None else self.accuracy
        assert found is not None
        return found


class GrowthRow(_Value):
    """A network on the way of growth: `score` (larger is better) is on the validation part.

    Costs are those of the network built for the target.
    """

    action: str
    epochs: int
    parameters: int
    score: float
    instructions: int
    flash_bytes: int
    ram_bytes: int
    kind: FigureKind


class NetworkRow(_Value):
    """One of several trainings: `score` is on the validation part, None where it diverged."""

    seed: int
    learning_rate: float
    score: float | None
    chosen: bool


class PruningRow(_Value):
    """What pruning took out, and the score on the validation part at each step.

    `sparsity` is the fraction that was asked for, `zero_weights` that of weights that are zero.
    """

    sparsity: float
    parameters_before: int
    parameters: int
    zero_weights: float
    dense: float
    before_retraining: float
    retrained: float


class Summary(_Value):
    """A build, whole: the report is a function of it and nothing else.

    `accuracies` are those of classification, `scores` of the other tasks; `all_scores` has both in
    one form. `arena` is empty, and has no peak, for an engine that lays its arena out itself,
    `layers` where an engine does not show them. `remark` is what a reader should know about the
    engine's answers. `race` are the engines
    that were measured beside the one that was chosen, on Linux.
    """

    schema_version: Literal[1]
    edgeflow_version: str
    model: str
    data: str
    target: str
    target_description: str
    device: str
    images: int = Field(gt=0)
    figures: tuple[FigureRow, ...]
    accuracies: tuple[AccuracyRow, ...]
    task: Task = Task.CLASSIFICATION
    scores: tuple[ScoreRow, ...] = ()
    layers: tuple[LayerRow, ...]
    overhead_instructions: float = Field(ge=0)
    layer_kind: FigureKind
    arena_bytes: int = Field(ge=0)
    arena_lower_bound_bytes: int = Field(ge=0)
    arena_proven_optimal: bool
    arena_peak: PeakRow | None = None
    arena: tuple[ArenaRow, ...] = ()
    row_by_row: tuple[SegmentRow, ...] = ()
    regions: tuple[RegionRow, ...]
    checks: tuple[CheckRow, ...]
    epochs: tuple[EpochRow, ...] = ()
    growth: tuple[GrowthRow, ...] = ()
    growth_stopped: str = ""
    networks: tuple[NetworkRow, ...] = ()
    pruning: PruningRow | None = None
    search: SearchRow | None = None
    sanity: tuple[CheckRow, ...] = ()
    engine: str = "edgeflow"
    race: tuple[RaceRow, ...] = ()
    remark: str = ""

    @property
    def passed(self) -> bool:
        """Whether the gate let the artifact through."""
        return all(check.passed for check in self.checks)

    @property
    def cost_unit(self) -> Unit | None:
        """The unit in which the device tells what layers cost; None where it tells nothing."""
        if any(row.seconds is not None for row in self.layers):
            return Unit.SECONDS
        counted = any(row.instructions is not None for row in self.layers)
        return Unit.INSTRUCTIONS if counted else None

    @property
    def all_scores(self) -> tuple[ScoreRow, ...]:
        """Every score of any task."""
        unit, better = MEANINGS[ScoreName.ACCURACY]
        accuracies = (
            ScoreRow(name=ScoreName.ACCURACY, unit=unit, better=better, **row.model_dump())
            for row in self.accuracies
        )
        return (*accuracies, *self.scores)

    def figure(self, name: str) -> FigureRow:
        """The figure of that name; KeyError where there is none."""
        for row in self.figures:
            if row.name == name:
                return row
        raise KeyError(name)
