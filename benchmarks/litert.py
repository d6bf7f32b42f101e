"""LiteRT's reference kernels, where `ai-edge-litert` is installed (extra `test`)."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

NAME = "LiteRT reference kernels"


def is_installed() -> bool:
    """Whether LiteRT's interpreter can be imported here."""
    return importlib.util.find_spec("ai_edge_litert") is not None


def outputs(model: bytes, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """The int8 output [N, ...] of a `.tflite` with one int8 input and output for x [N, ...]."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers = []
    for row in x:
        interpreter.set_tensor(taken["index"], row[np.newaxis])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(given["index"]).reshape(-1).copy())
    return np.stack(answers)
