"""What a user may say about the search."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PoolOptions(BaseModel):
    """Options of the pool of candidates and of their scores; results are bit-identical for equals.

    Every candidate imitates its cell on `images` of the training part, `batch_size` at a step; its
    score is the change of loss on `score_images` others. Of small data, at most a quarter goes to
    the scores. The widest of a family is trained for `steps`, what is cut from it for
    `narrower_steps`, and what has fewer than 8 bits of weights for `fewer_bits_steps` more, each at
    a rate that falls to 0. `memory_mib` bounds the feature maps that are held at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = Field(default=4096, ge=2, le=10_000_000)
    score_images: int = Field(default=512, ge=1, le=10_000_000)
    batch_size: int = Field(default=32, ge=2, le=65_536)
    steps: int = Field(default=128, ge=1, le=1_000_000)
    narrower_steps: int = Field(default=48, ge=1, le=1_000_000)
    fewer_bits_steps: int = Field(default=32, ge=1, le=1_000_000)
    learning_rate: float = Field(default=1e-2, gt=0)
    narrower_learning_rate: float = Field(default=5e-3, gt=0)
    fewer_bits_learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    memory_mib: int = Field(default=512, ge=1, le=1_000_000)
    seed: int = Field(default=0, ge=0, lt=2**63)
    threads: int = Field(default=1, ge=1, le=256)


class SearchOptions(BaseModel):
    """Options of the search: none where `enabled` is false.

    [build] model is the teacher, which [train] trains. Of the integer program's `solutions`, any
    two with at most `overlap` of their cells alike, the one of the least loss goes on. It is
    trained for [train] epochs from the pool's weights; the teacher's answers, softened by
    `temperature`, have the share `soft_weight` of its loss. `pareto_points` budgets of instructions
    are solved for the report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    solutions: int = Field(default=8, ge=1, le=1000)
    overlap: float = Field(default=0.7, ge=0, le=1)
    pareto_points: int = Field(default=8, ge=0, le=100)
    temperature: float = Field(default=4.0, gt=0)
    soft_weight: float = Field(default=0.7, ge=0, le=1)
    pool: PoolOptions = PoolOptions()
