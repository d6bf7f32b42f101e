"""Folders that look like checkouts of TFLM and CMSIS-NN, without anything of theirs; real ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edgeflow.backends.engine import Engine, EngineOptions

MICRO = "tensorflow/lite/micro"
DOWNLOADS = f"{MICRO}/tools/make/downloads"
FILES = {
    f"tflm/{MICRO}/micro_interpreter.h": "",
    f"tflm/{MICRO}/micro_interpreter.cc": "",
    f"tflm/{MICRO}/micro_interpreter_test.cc": "",
    f"tflm/{MICRO}/mock_micro_graph.cc": "",
    f"tflm/{MICRO}/micro_time.cc": "",
    f"tflm/{MICRO}/arena_allocator/single.cc": "",
    f"tflm/{MICRO}/kernels/kernel_util.cc": "",
    f"tflm/{MICRO}/kernels/conv.h": "TFLMRegistration Register_CONV_2D_INT8();",
    f"tflm/{MICRO}/kernels/conv.cc": "",
    f"tflm/{MICRO}/kernels/conv_common.cc": "",
    f"tflm/{MICRO}/kernels/cmsis_nn/conv.cc": "",
    f"tflm/{MICRO}/kernels/reshape.cc": "",
    f"tflm/{MICRO}/kernels/softmax.cc": "",
    f"tflm/{MICRO}/kernels/softmax.h": "TFLMRegistration Register_SOFTMAX();",
    f"tflm/{DOWNLOADS}/flatbuffers/include/flatbuffers/flatbuffers.h": "",
    f"tflm/{DOWNLOADS}/gemmlowp/fixedpoint/fixedpoint.h": "",
    f"tflm/{DOWNLOADS}/ruy/ruy/profiler/instrumentation.h": "",
    f"tflm/{DOWNLOADS}/cmsis/CMSIS/Core/Include/cmsis_compiler.h": "",
    "cmsis-nn/Include/arm_nnfunctions.h": "",
    "cmsis-nn/Source/ConvolutionFunctions/arm_convolve_s8.c": "",
    "cmsis-nn/Source/ConvolutionFunctions/arm_convolve_f32.c": "",
}


def write_checkouts(folder: Path) -> tuple[Path, Path]:
    """The two folders below `folder`."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "tflm", folder / "cmsis-nn"


def real_checkouts() -> EngineOptions:
    """The user's checkouts of the environment; skips the test where they or GCC are absent."""
    tflm = os.environ.get("EDGEFLOW_TFLM_PATH")
    cmsis_nn = os.environ.get("EDGEFLOW_CMSIS_NN_PATH")
    if not tflm or not cmsis_nn:
        pytest.skip("EDGEFLOW_TFLM_PATH and EDGEFLOW_CMSIS_NN_PATH name no checkouts")
    if shutil.which("arm-none-eabi-g++") is None:
        pytest.skip("arm-none-eabi-g++ is absent")
    headers = os.environ.get("EDGEFLOW_TFLM_INCLUDE", "").split(os.pathsep)
    return EngineOptions(Engine.TFLM, tflm, cmsis_nn, tuple(x for x in headers if x))
