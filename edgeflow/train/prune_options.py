"""What a user may say about pruning."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class PruneStructure(StrEnum):
    """What is taken out."""

    CHANNELS = "channels"  # whole channels: a smaller network
    WEIGHTS = "weights"  # single weights become zero: as many bytes and instructions as before


class PruneMethod(StrEnum):
    """How the pruned network is trained again."""

    KD_TICKET = "kd-ticket"  # from the initial weights, by the dense network's soft labels
    REWIND = "rewind"  # from weights of an early epoch, by the targets
    LEARNING_RATE_REWIND = "learning-rate-rewind"  # from the trained weights, whole schedule
    FINE_TUNE = "fine-tune"  # from the trained weights, at a tenth of the learning rate


class PruneOptions(BaseModel):
    """Options of pruning after training: none where `sparsity` is 0.

    `sparsity` is the fraction that is taken out: of the channels at every place that allows it, or
    of all weights. Training again takes as many epochs as [train] says. `rewind_epochs` is the
    epoch whose weights "rewind" goes back to, and "kd-ticket" as well where it is not 0. The
    default method had the highest mean accuracy, or shared it, on digits with half and with a
    quarter of the channels left (2 seeds, 10 epochs).
    `temperature` and `soft_weight` are those of the soft labels of "kd-ticket".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sparsity: float = Field(default=0.0, ge=0, lt=1)
    structure: PruneStructure = PruneStructure.CHANNELS
    method: PruneMethod = PruneMethod.LEARNING_RATE_REWIND
    rewind_epochs: int = Field(default=1, ge=0, le=10_000)
    temperature: float = Field(default=4.0, gt=0)
    soft_weight: float = Field(default=0.9, ge=0, le=1)
