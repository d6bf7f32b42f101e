"""Which engine runs the model on the target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """edgeflow's own generated code, a user's checkout of TensorFlow Lite Micro for firmware, what
    a Linux system has beside ours, or kernels for its GPU.
    """

    EDGEFLOW = "edgeflow"
    TFLM = "tflm"
    LITERT = "litert"
    ONNXRUNTIME = "onnxruntime"
    TVM = "tvm"
    CUDA = "cuda"


SYSTEM_ENGINES = (Engine.LITERT, Engine.ONNXRUNTIME, Engine.TVM)
"""Those that a Linux system brings; a build races them against ours."""


@dataclass(frozen=True)
class EngineOptions:
    """The engine of a build, and the user's folders that it takes."""

    engine: Engine = Engine.EDGEFLOW
    tflm_path: str | None = None
    cmsis_nn_path: str | None = None
    tflm_include: tuple[str, ...] = ()
