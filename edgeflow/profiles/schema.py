"""The profile schema, version 1: what operators cost on a device, and how that was obtained."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgeflow.figures import FigureKind, Unit

SCHEMA_VERSION = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Additivity(_Value):
    """How far sums of rows are from whole networks that gave no row.

    Errors are relative, of the absolute difference; the shares within 2 and 10 percent are
    those of the `networks`, which were drawn from a space of networks with `seed`.
    """

    networks: int = Field(ge=1)
    seed: int = Field(ge=0)
    median_error: float = Field(ge=0)
    p95_error: float = Field(ge=0)
    largest_error: float = Field(ge=0)
    share_within_2_percent: float = Field(ge=0, le=1)
    share_within_10_percent: float | None = Field(default=None, ge=0, le=1)


class Header(_Value):
    """Where, with what and how the rows were obtained; `unit` is the unit of the rows' cost."""

    target: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    device: str = Field(min_length=1)
    clock_hz: int | None = Field(default=None, gt=0)
    power_mode: str | None = None
    runtime: str = Field(min_length=1)
    compiler: str = Field(min_length=1)
    flags: tuple[str, ...] = ()
    date: date
    protocol: str = Field(min_length=1)
    kind: FigureKind
    unit: Unit
    command: str = Field(min_length=1)
    additivity: Additivity | None = None


class Row(_Value):
    """One operator: its canonical signature, precision, cost over `n` runs, and bytes."""

    signature: str = Field(min_length=1)
    precision: str = Field(pattern=r"^w[1-8]a[1-8]$|^fp16$|^fp32$")
    n: int = Field(ge=1)
    median: float = Field(ge=0)
    p95: float = Field(ge=0)
    dispersion: float = Field(ge=0, description="interquartile range over the median")
    flash_bytes: int = Field(ge=0)
    ram_bytes: int = Field(ge=0)

    @property
    def key(self) -> tuple[str, str]:
        """What makes a row unique in its profile."""
        return self.signature, self.precision


class Profile(_Value):
    """A header and its rows, each key once."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    header: Header
    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _keys_are_unique(self) -> Profile:
        seen: set[tuple[str, str]] = set()
        for row in self.rows:
            if row.key in seen:
                raise ValueError(f"rows: '{row.signature}' at {row.precision} is listed twice")
            if row.p95 < row.median:
                raise ValueError(f"rows: p95 below the median at '{row.signature}'")
            seen.add(row.key)
        return self
