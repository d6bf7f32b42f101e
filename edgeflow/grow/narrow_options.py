"""What a user may say about going wide, then narrow."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NarrowOptions(BaseModel):
    """Options of going wide, then narrow: a wider twin is trained, then imitated block by block.

    `width` is how many times as wide the twin is; 1 leaves all of this out. The twin is trained
    for `wide_epochs` as [train] says otherwise; each block imitates it for `imitation_epochs`, the
    whole network its outputs for `output_epochs`, at `learning_rate` falling to 0. Then [train]
    goes on from there with the labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=1, ge=1, le=16)
    wide_epochs: int = Field(default=20, ge=1, le=10_000)
    imitation_epochs: int = Field(default=2, ge=1, le=10_000)
    output_epochs: int = Field(default=4, ge=0, le=10_000)
    learning_rate: float = Field(default=1e-2, gt=0)
