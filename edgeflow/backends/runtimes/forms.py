"""The forms in which system engines take a model: one program for each engine and precision."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resource_files
from types import MappingProxyType
from typing import Any

from edgeflow.backends.engine import Engine
from edgeflow.backends.runtimes.program import Precision, RuntimeProgram
from edgeflow.errors import BundleError
from edgeflow.exchange import onnx_plain, onnx_qdq, tflite, tflite_float
from edgeflow.exchange.tflite_float import FloatWeights
from edgeflow.graph.ir import Graph, Tensor
from edgeflow.targets.schema import Target

SCRIPT = "run_model.py"
DESCRIPTION = "model.json"
_LIBRARIES = "libraries.json"
_INT8 = "int8"
_FLOAT32 = "float32"
_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)


@dataclass(frozen=True)
class Form:
    """A model's files: the one that the engine is given, what writes all, and what values it takes.

    A model of TVM is code for the target; the others' are the same everywhere.
    """

    file: str
    write: Callable[[Graph, Target], Mapping[str, bytes]]
    values: str
    channels_first: bool


def _one(file: str, write: Callable[[Graph], bytes], values: str, channels_first: bool) -> Form:
    """A form of a single file."""
    return Form(file, lambda graph, target: {file: write(graph)}, values, channels_first)


def _half_weights(graph: Graph) -> bytes:
    return tflite_float.write(graph, FloatWeights.FLOAT16)


def _tvm_libraries(graph: Graph, target: Target) -> dict[str, bytes]:
    from edgeflow.backends.tvm.module import FUNCTION, libraries

    files: dict[str, bytes] = {}
    listed = []
    for library in libraries(graph, target):
        code, constants = f"{library.name}.so", f"{library.name}.npz"
        files |= {code: library.code, constants: library.constants}
        listed.append({"code": code, "constants": constants, "features": list(library.features)})
    output = list(graph.tensors[graph.outputs[0]].shape)
    document = {"function": FUNCTION, "libraries": listed, "output_shape": output}
    files[_LIBRARIES] = (json.dumps(document, indent=2) + "\n").encode()
    return files


FORMS: Mapping[tuple[Engine, Precision], Form] = MappingProxyType(
    {
        (Engine.LITERT, Precision.INT8): _one("model.tflite", tflite.write, _INT8, False),
        (Engine.LITERT, Precision.FLOAT32): _one(
            "model.tflite", tflite_float.write, _FLOAT32, False
        ),
        (Engine.LITERT, Precision.FLOAT16): _one("model.tflite", _half_weights, _FLOAT32, False),
        (Engine.ONNXRUNTIME, Precision.INT8): _one("model.onnx", onnx_qdq.write, _FLOAT32, True),
        (Engine.ONNXRUNTIME, Precision.FLOAT32): _one(
            "model.onnx", onnx_plain.write, _FLOAT32, True
        ),
        (Engine.TVM, Precision.FLOAT32): Form(_LIBRARIES, _tvm_libraries, _FLOAT32, False),
    }
)


def runtime_program(
    graph: Graph, engine: Engine, precision: Precision, target: Target
) -> RuntimeProgram:
    """The model for an engine, with its script.

    Raises GraphError where the form has no equal, MissingToolError for an engine whose models are
    compiled here and whose compiler is absent.
    """
    form = FORMS[engine, precision]
    given, got = (graph.tensors[names[0]] for names in (graph.inputs, graph.outputs))
    description = {
        "engine": engine.value,
        "precision": precision.value,
        "file": form.file,
        "input": _described(given, form, _TO_NCHW),
        "output": _described(got, form, _TO_NHWC),
    }
    text = json.dumps(description, indent=2, sort_keys=True) + "\n"
    return RuntimeProgram(
        engine=engine,
        precision=precision,
        runner=_script(),
        companions={**form.write(graph, target), DESCRIPTION: text.encode()},
        input_bytes=math.prod(given.shape),
        output_bytes=math.prod(got.shape),
    )


def read_runtime_program(files: Mapping[str, bytes]) -> RuntimeProgram:
    """The program in the files of its folder; raises BundleError for files that are none."""
    try:
        document = json.loads(files[DESCRIPTION])
        if document["file"] not in files:
            raise KeyError(document["file"])
        sizes = [math.prod(document[side]["shape"]) for side in ("input", "output")]
        return RuntimeProgram(
            engine=Engine(document["engine"]),
            precision=Precision(document["precision"]),
            runner=files[SCRIPT],
            companions={name: files[name] for name in files if name != SCRIPT},
            input_bytes=sizes[0],
            output_bytes=sizes[1],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{DESCRIPTION} does not describe a model for an engine: {error}",
            hint="rebuild the bundle with `edgeflow build`",
        ) from error


def _described(tensor: Tensor, form: Form, order: tuple[int, ...]) -> dict[str, Any]:
    """Shape [1, ...] and grid in the integer graph, and how the engine's tensor differs from it."""
    grid = tensor.quantization
    assert grid is not None
    moved = form.channels_first and len(tensor.shape) == 4
    return {
        "shape": list(tensor.shape),
        "scale": grid.scales[0],
        "zero_point": grid.zero_points[0],
        "type": form.values,
        "order": list(order) if moved else None,
    }


@cache
def _script() -> bytes:
    return (resource_files("edgeflow.backends.runtimes") / "runner" / SCRIPT).read_bytes()
