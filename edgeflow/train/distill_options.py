"""What a user may say about distillation."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class DistillMethod(StrEnum):
    """What a student takes from its teacher."""

    LOGITS = "logits"  # softened outputs of a trained teacher
    FEATURES = "features"  # and feature maps of its cells
    ONLINE = "online"  # outputs of a peer that is trained at the same time


class DistillOptions(BaseModel):
    """Options of distillation: none where `teacher` is absent.

    `teacher` names a network of the registry, which is trained first as [train] says (by "online":
    at the same time), or a float .onnx file. `soft_weight` is the share of the teacher's answers in
    the loss, the targets have the rest; `temperature` softens both networks' answers.
    `feature_weight` multiplies the mean squared differences of feature maps (method "features").
    `quantization` lets the teacher teach the fine-tuning of the quantized network as well, in the
    place of the student's own float network. On digits neither is better (mean of 3 seeds: 0.970
    with 4-bit weights and 0.475 with 2-bit ones, either way; single seeds differ by up to 0.03).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    teacher: str | None = Field(default=None, min_length=1)
    method: DistillMethod = DistillMethod.LOGITS
    temperature: float = Field(default=4.0, gt=0)
    soft_weight: float = Field(default=0.7, ge=0, le=1)
    feature_weight: float = Field(default=1.0, ge=0)
    quantization: bool = False
