"""Which engine turns an integer graph into firmware."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """edgeflow's own generated code, or a user's checkout of TensorFlow Lite Micro."""

    EDGEFLOW = "edgeflow"
    TFLM = "tflm"


@dataclass(frozen=True)
class EngineOptions:
    """The engine of a build, and the user's folders that it takes."""

    engine: Engine = Engine.EDGEFLOW
    tflm_path: str | None = None
    cmsis_nn_path: str | None = None
    tflm_include: tuple[str, ...] = ()
