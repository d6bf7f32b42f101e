"""Budgets: what a user demands of the artifact beyond being correct."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from edgeflow.data.score import ScoreName
from edgeflow.data.task import Task
from edgeflow.errors import ConfigError


class Budget(BaseModel):
    """Upper limits in bytes, instructions and seconds per inference; a limit of the task's score.

    At least `accuracy` (classification) or `auc` (anomaly), at most `rmse` (regression, in the
    unit of the target).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flash_bytes: int | None = Field(default=None, gt=0)
    ram_bytes: int | None = Field(default=None, gt=0)
    instructions: int | None = Field(default=None, gt=0)
    latency_seconds: float | None = Field(default=None, gt=0.0)
    accuracy: float | None = Field(default=None, ge=0.0, le=1.0)
    rmse: float | None = Field(default=None, gt=0.0)
    auc: float | None = Field(default=None, ge=0.0, le=1.0)


# The field of a budget, and the score that it limits, of each task.
LIMITED: Mapping[Task, tuple[str, ScoreName]] = {
    Task.CLASSIFICATION: ("accuracy", ScoreName.ACCURACY),
    Task.REGRESSION: ("rmse", ScoreName.RMSE),
    Task.ANOMALY: ("auc", ScoreName.AUC),
}


def score_limit(budget: Budget, task: Task) -> float | None:
    """The budget of the task's own score."""
    limit: float | None = getattr(budget, LIMITED[task][0])
    return limit


def require_countable(budget: Budget, task: Task | None) -> None:
    """Raise ConfigError for a budget of a score that the task has not (None: without labels)."""
    for other, (field, _) in LIMITED.items():
        limit = getattr(budget, field)
        if limit is None or other is task:
            continue
        if task is None:
            raise ConfigError(
                f"[budget] {field} = {limit}: the data has no labels, so no {field} can be counted",
                hint=f"leave the budget {field}= out, or label the data (in an .npz: y beside x)",
            )
        raise ConfigError(
            f"[budget] {field} = {limit}: this is {task}, which is not judged by {field}",
            hint=f"use the budget {LIMITED[task][0]}=, or set [data] task = {other.value!r}",
        )
