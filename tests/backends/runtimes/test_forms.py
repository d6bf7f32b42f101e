"""Models for engines of the system: every form answers as the interpreter does, or nearly."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgeflow.backends.engine import Engine
from edgeflow.backends.runtimes.forms import FORMS, read_runtime_program, runtime_program
from edgeflow.backends.runtimes.program import Precision
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import LinuxRunner, runner_for
from edgeflow.errors import BundleError, DeviceFaultError, MissingToolError
from edgeflow.exchange import tflite
from edgeflow.gate.agreement import agreement
from edgeflow.graph.interpreter import run_batch
from edgeflow.targets.registry import load
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.tvm.presence import HAS_TVM, needs_tvm
from tests.devices.aarch64 import needs_qemu_user, needs_x86_64
from tests.shared_data import shared_file

LIMITS = RunLimits()
TARGET = "linux-x86_64"
ROWS = 24
SEEDS = (0, 1, 2, 4)
ALL_FORMS = [
    pytest.param(*form, marks=needs_tvm if form[0] is Engine.TVM else ()) for form in FORMS
]


@pytest.fixture(params=[pytest.param("linux-x86_64", marks=needs_x86_64)])
def host(request: pytest.FixtureRequest) -> LinuxRunner:
    """This machine."""
    return runner_for(load(request.param))


def _inputs(graph) -> np.ndarray:  # type: ignore[no-untyped-def]
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(5).integers(-128, 128, (ROWS, *shape[1:]), dtype=np.int8)


@pytest.mark.parametrize("engine", [Engine.LITERT, Engine.ONNXRUNTIME])
@pytest.mark.parametrize("seed", SEEDS)
def test_in_int8_random_networks_answer_nearly_as_the_interpreter(
    host: LinuxRunner, seed: int, engine: Engine
) -> None:
    graph = ordinary_network(seed)
    inputs = _inputs(graph)
    found = host.run(runtime_program(graph, engine, Precision.INT8, load(TARGET)), inputs, LIMITS)
    expected = run_batch(graph, inputs).reshape(ROWS, -1)
    assert agreement(expected, found.outputs).mean <= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_in_float_two_engines_answer_alike_on_the_integer_grid(
    host: LinuxRunner, seed: int
) -> None:
    """The networks are random, so that their quantization is not near any float network's."""
    graph = ordinary_network(seed)
    inputs = _inputs(graph)
    answers = {
        form: host.run(runtime_program(graph, *form, load(TARGET)), inputs, LIMITS).outputs
        for form in FORMS
        if form[1] is not Precision.INT8 and (HAS_TVM or form[0] is not Engine.TVM)
    }
    first = answers.pop((Engine.LITERT, Precision.FLOAT32))
    for form, found in answers.items():
        compared = agreement(first, found)
        assert compared.largest <= (1 if form[1] is Precision.FLOAT32 else 4), form


@pytest.mark.parametrize("engine", [Engine.LITERT, Engine.ONNXRUNTIME])
def test_the_autoencoder_of_mlperf_tiny_is_exact_in_int8(host: LinuxRunner, engine: Engine) -> None:
    graph = tflite.read(shared_file("mlperf_tiny/ad01_int8.tflite").read_bytes())
    inputs = _inputs(graph)
    program = runtime_program(graph, engine, Precision.INT8, load(TARGET))
    found = host.run(program, inputs, LIMITS)
    assert np.array_equal(found.outputs, run_batch(graph, inputs).reshape(ROWS, -1))


@pytest.mark.parametrize(("engine", "precision"), ALL_FORMS)
def test_an_engine_tells_its_version_and_memory(
    host: LinuxRunner, engine: Engine, precision: Precision
) -> None:
    about = host.about(
        runtime_program(ordinary_network(0), engine, precision, load(TARGET)), LIMITS
    )
    assert about.version.split()[0] in ("ai-edge-litert", "onnxruntime", "apache-tvm")
    assert about.version.split()[1][0].isdigit()
    assert 1 << 20 < about.memory_bytes < 1 << 30


def test_a_file_that_the_engine_refuses_is_a_fault_with_its_words(host: LinuxRunner) -> None:
    program = runtime_program(ordinary_network(0), Engine.ONNXRUNTIME, Precision.INT8, load(TARGET))
    broken = {**program.companions, "model.onnx": b"nothing"}
    damaged = read_runtime_program({"run_model.py": program.runner, **broken})
    with pytest.raises(DeviceFaultError, match=r"exit status 3: .*model\.onnx"):
        host.about(damaged, LIMITS)


@pytest.mark.parametrize("board", [pytest.param("raspberry-pi-4", marks=needs_qemu_user)])
def test_an_emulator_has_no_such_engine(board: str) -> None:
    program = runtime_program(ordinary_network(0), Engine.LITERT, Precision.INT8, load(TARGET))
    with pytest.raises(MissingToolError, match="runs no Python"):
        runner_for(load(board)).about(program, LIMITS)


def test_a_program_comes_back_from_its_files() -> None:
    program = runtime_program(ordinary_network(0), Engine.LITERT, Precision.FLOAT16, load(TARGET))
    files = {"run_model.py": program.runner, **program.companions}
    found = read_runtime_program(files)
    assert (found.name, found.size_bytes) == ("litert float16", program.size_bytes)
    assert (found.input_bytes, found.output_bytes) == (program.input_bytes, program.output_bytes)


@pytest.mark.parametrize(
    "change",
    [
        {"model.json": b"{"},
        {"model.json": b"[]"},
        {"model.json": json.dumps({"engine": "none"}).encode()},
        {"model.tflite": None},
    ],
)
def test_files_that_are_no_program_are_refused(change: dict[str, bytes | None]) -> None:
    program = runtime_program(ordinary_network(0), Engine.LITERT, Precision.INT8, load(TARGET))
    files = {"run_model.py": program.runner, **program.companions, **change}
    with pytest.raises(BundleError, match=r"model\.json"):
        read_runtime_program({name: c for name, c in files.items() if c is not None})
