"""Our runner against stock LiteRT and ONNX Runtime: `python -m benchmarks.linux --shared DIR`.

One thread on one processor each; rounds in turns, so that what the machine does else meets all. The
figure of an engine is the median of its rounds, a ratio is one of medians of the same run. Answers
of our runner are compared with the interpreter's before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.linux.contestants import Contestant, Native, Worker, rounds
from benchmarks.linux.table import table
from edgeflow import __version__
from edgeflow.backends.engine import Engine
from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.native.toolchain import build_program
from edgeflow.backends.runtimes.forms import runtime_program
from edgeflow.backends.runtimes.program import Precision
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import runner_for
from edgeflow.devices.processor import this_processor
from edgeflow.exchange import onnx_plain, onnx_qdq, tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.constant_channels import without_constant_channels
from edgeflow.graph.interpreter import run_batch
from edgeflow.pipeline.stage import package_version
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Target

MODELS = {
    "ResNet-8": "ic_resnet8_int8",
    "DS-CNN": "kws_dscnn_int8",
    "MobileNetV1-0.25": "vww_mobilenet_int8",
    "autoencoder": "ad01_int8",
}
TARGET = "linux-x86_64"
NATIVE, NATIVE_AVX2 = "edgeflow int8", "edgeflow int8, AVX2 alone"
LITERT, ORT_INT8, ORT_FLOAT = "LiteRT int8", "ONNX Runtime int8", "ONNX Runtime float32"
LITERT_FLOAT, TVM = "LiteRT float32", "TVM float32, our schedules"
SCRIPTS = {
    LITERT_FLOAT: (Engine.LITERT, Precision.FLOAT32),
    TVM: (Engine.TVM, Precision.FLOAT32),
}
_INPUTS = 32
_WITHOUT_AVX512 = "-DEDGEFLOW_WITHOUT_AVX512"


def _native(name: str, model: bytes, target: Target) -> Native:
    """The runner, after its answers were compared."""
    graph = without_constant_channels(canonicalize(tflite.read(model)))
    program = build_program(generate(graph, target.firmware.kernel_set), target)
    shape = graph.tensors[graph.inputs[0]].shape
    inputs = np.random.default_rng(1).integers(-128, 128, (_INPUTS, *shape[1:]), dtype=np.int8)
    runner = runner_for(target)
    answers = runner.run(program, inputs, RunLimits()).outputs
    if not np.array_equal(answers, run_batch(graph, inputs).reshape(_INPUTS, -1)):
        raise SystemExit(f"{name}: the answers differ from the interpreter's")
    return Native(name, program, runner, inputs)


def _script(name: str, model: bytes, target: Target) -> Native:
    """A system engine by the script of a bundle."""
    graph = canonicalize(tflite.read(model))
    shape = graph.tensors[graph.inputs[0]].shape
    inputs = np.random.default_rng(1).integers(-128, 128, (_INPUTS, *shape[1:]), dtype=np.int8)
    program = runtime_program(graph, *SCRIPTS[name], target)
    return Native(name, program, runner_for(target), inputs)


def _without_avx512(target: Target) -> Target:
    chain = target.toolchain
    flags = {"flags": (*chain.flags, _WITHOUT_AVX512)}
    return target.model_copy(update={"toolchain": chain.model_copy(update=flags)})


def measure(model: bytes, count: int, seconds: float) -> dict[str, Any]:
    """Every engine's times for one model."""
    target = load(TARGET)
    qdq = onnx_qdq.write(tflite.read(model))
    with tempfile.TemporaryDirectory(prefix="edgeflow-race-") as name, ExitStack() as stack:
        folder = Path(name)
        files = {
            LITERT: ("litert", "model.tflite", model),
            ORT_INT8: ("onnxruntime", "int8.onnx", qdq),
            ORT_FLOAT: ("onnxruntime", "float.onnx", onnx_plain.write(tflite.read(model))),
        }
        contestants: list[Contestant] = [
            stack.enter_context(_native(NATIVE, model, target)),
            stack.enter_context(_native(NATIVE_AVX2, model, _without_avx512(target))),
        ]
        for engine, (kind, file, content) in files.items():
            (folder / file).write_bytes(content)
            contestants.append(stack.enter_context(Worker(engine, kind, folder / file)))
        contestants += [stack.enter_context(_script(each, model, target)) for each in SCRIPTS]
        found = rounds(contestants, count, seconds)
        firsts = {each.name: each.first_seconds() for each in contestants}
    return {
        engine: {
            "seconds": median(medians),
            "least_seconds": min(medians),
            "most_seconds": max(medians),
            "first_result_seconds": firsts[engine],
        }
        for engine, medians in found.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and tell; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.linux", description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder with mlperf_tiny/")
    parser.add_argument("--output", type=Path, help="write the JSON document here")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each round")
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else list(arguments)
    processor = this_processor()
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.linux", *given]),
        "edgeflow_version": __version__,
        "kind": "measured",
        "processor": processor.name,
        "features": sorted(f for f in processor.features if f.startswith(("avx", "fma"))),
        "governor": processor.governor,
        "versions": {
            name: package_version(name)
            for name in ("ai-edge-litert", "onnxruntime", "apache-tvm", "ziglang")
        },
        "models": {},
    }
    for name, file in MODELS.items():
        model = (options.shared / "mlperf_tiny" / f"{file}.tflite").read_bytes()
        Console(stderr=True, highlight=False).print(f"{name} ...")
        document["models"][name] = measure(model, options.rounds, options.seconds)
    if options.output is not None:
        text = json.dumps(document, indent=1) + "\n"
        options.output.write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write(table(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
