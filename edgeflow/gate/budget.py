"""Budgets: what a user demands of the artifact beyond being correct."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from edgeflow.errors import ConfigError


class Budget(BaseModel):
    """Upper limits in bytes and instructions per inference; a lower limit of accuracy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flash_bytes: int | None = Field(default=None, gt=0)
    ram_bytes: int | None = Field(default=None, gt=0)
    instructions: int | None = Field(default=None, gt=0)
    accuracy: float | None = Field(default=None, ge=0.0, le=1.0)


def accuracy_needs_labels(budget: Budget) -> ConfigError:
    """The error of a budget of accuracy for data without labels."""
    return ConfigError(
        f"[budget] accuracy = {budget.accuracy}: the data has no labels, so no accuracy can be "
        "counted",
        hint="leave the budget accuracy= out, or label the data (in an .npz: y beside x)",
    )
