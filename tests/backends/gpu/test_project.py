"""The GPU's part of a bundle: kernels and host part, run on the processor by a driver of ours.

No GPU takes part. What runs are the texts of the bundle: the kernels as C++, thread after thread,
and the host part as the program that a board would start, with another libcuda.so.1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware.compiler import run_compiler
from edgeflow.backends.gpu import nvrtc
from edgeflow.backends.gpu.project import RUNNER, gpu_program, project_files
from edgeflow.backends.native.elf import read_elf
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import runner_for
from edgeflow.errors import (
    DeviceFaultError,
    DoesNotFitError,
    ToolFailedError,
    UnsupportedOperatorError,
)
from edgeflow.exchange import onnx_plain, tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.ir import Graph
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Gpu, InstructionSet, Target
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.tvm.presence import needs_tvm
from tests.devices.aarch64 import needs_x86_64
from tests.shared_data import shared_file

HAS_NVRTC = find_spec("nvidia.cuda_nvrtc") is not None if find_spec("nvidia") else False
pytestmark = [
    *needs_tvm,
    *needs_x86_64,
    pytest.mark.skipif(not HAS_NVRTC, reason="needs NVRTC and ptxas (the extra gpu)"),
]
ROWS = 8
MANY_THREADS = 65536
"""More than the networks have outputs: so that threads share sums."""
KERNEL = re.compile(r'^extern "C" __global__ void \S+ (\w+)\(([^)]*)\) \{', re.MULTILINE)


def _gpu(*, half: bool) -> Gpu:
    nano = load("jetson-nano").gpu
    assert nano is not None
    return nano.model_copy(update={"fp16": half, "threads": MANY_THREADS})


def _target(*, half: bool) -> Target:
    """This machine with the Nano's GPU, but a larger one."""
    return load("linux-x86_64").model_copy(update={"gpu": _gpu(half=half)})


def _calls(source: str) -> str:
    """The kernels in C++, and the table by which the driver finds them."""
    found = KERNEL.findall(source)
    calls, rows = [], []
    for name, parameters in found:
        types = [each.split("*")[0].strip() for each in parameters.split(",")]
        given = ", ".join(f"({kind} *)a[{i}]" for i, kind in enumerate(types))
        calls.append(f"static void call_{name}(void **a) {{ {name}({given}); }}\n")
        rows.append(f'    {{"{name}", {len(types)}, call_{name}}},\n')
    return (
        source
        + "".join(calls)
        + 'extern "C" {\nstruct kernel { const char *name; unsigned count;\n'
        + "    void (*run)(void **); };\n"
        + "void test_place(unsigned block, unsigned x, unsigned y) {\n"
        + "    blockIdx.x = block; threadIdx.x = x; threadIdx.y = y;\n}\n"
        + f"extern const struct kernel test_kernels[] = {{\n{''.join(rows)}}};\n"
        + f"extern const unsigned test_kernel_count = {len(rows)};\n}}\n"
    )


def _place(files: dict[str, bytes], folder: Path) -> None:
    """The bundle's files, and a driver in `folder` / driver that runs its kernels."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / RUNNER).chmod(0o755)
    (folder / "kernels.cpp").write_text(_calls(files["edgeflow_kernels.cu"].decode()))
    shutil.copy(Path(__file__).parent / "driver.c", folder)
    (folder / "driver").mkdir()
    flags = ["-target", "x86_64-linux-gnu", "-fPIC", "-O1", "-w"]
    run_compiler([*flags, "-c", "driver.c", "-o", "driver.o"], folder)
    cpp = ["-x", "c++", "-std=c++17", "-fno-fast-math"]
    run_compiler([*flags, *cpp, "-c", "kernels.cpp", "-o", "kernels.o"], folder)
    linked = ["-shared", "driver.o", "kernels.o", "-o", "driver/libcuda.so.1", "-lm"]
    run_compiler([*flags, *linked], folder)


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {**os.environ, "LD_LIBRARY_PATH": str(folder / "driver"), **environment}
    command = [str(folder / RUNNER), *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=False)


def _reference(graph: Graph, rows: np.ndarray) -> np.ndarray:
    """ONNX Runtime's float answers on the output's grid."""
    import onnxruntime

    given, got = (graph.tensors[names[0]] for names in (graph.inputs, graph.outputs))
    assert given.quantization is not None
    assert got.quantization is not None
    session = onnxruntime.InferenceSession(onnx_plain.write(graph))
    (source,) = session.get_inputs()
    answers = []
    for row in rows:
        x = row.reshape(given.shape).astype(np.float32) - given.quantization.zero_points[0]
        x = x * np.float32(given.quantization.scales[0])
        x = x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
        (answer,) = session.run(None, {source.name: x})
        answers.append(answer.transpose(0, 2, 3, 1) if answer.ndim == 4 else answer)
    reals = np.stack(answers).reshape(len(rows), -1)
    steps = np.round(reals / got.quantization.scales[0]) + got.quantization.zero_points[0]
    return np.clip(steps, -128, 127).astype(int)


def _check(graph: Graph, folder: Path, *, half: bool) -> None:
    _place(project_files(graph, _target(half=half)), folder)
    shape = graph.tensors[graph.inputs[0]].shape
    rows = np.random.default_rng(3).integers(-128, 128, (ROWS, int(np.prod(shape))), dtype=np.int8)
    (folder / "inputs").write_bytes(rows.tobytes())
    finished = _run(folder, "answers", "inputs", "outputs")
    assert finished.returncode == 0, finished.stderr.decode()
    answers = np.frombuffer((folder / "outputs").read_bytes(), np.int8).reshape(ROWS, -1)
    steps = np.abs(answers.astype(int) - _reference(graph, rows))
    assert steps.max() <= (4 if half else 1), steps


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 4, 7])
def test_random_networks_answer_as_onnx_runtime_in_float(
    seed: int, half: bool, tmp_path: Path
) -> None:
    _check(canonicalize(ordinary_network(seed)), tmp_path, half=half)


@pytest.mark.parametrize("name", ["ic_resnet8_int8", "kws_dscnn_int8", "ad01_int8"])
def test_the_networks_of_mlperf_tiny_answer_as_onnx_runtime_in_float(
    name: str, tmp_path: Path
) -> None:
    model = shared_file(f"mlperf_tiny/{name}.tflite").read_bytes()
    _check(canonicalize(tflite.read(model)), tmp_path, half=False)


def test_times_are_written_and_a_machine_without_gpu_is_told(tmp_path: Path) -> None:
    graph = canonicalize(ordinary_network(0))
    _place(project_files(graph, _target(half=True)), tmp_path)
    size = int(np.prod(graph.tensors[graph.inputs[0]].shape))
    (tmp_path / "inputs").write_bytes(bytes(2 * size))
    assert _run(tmp_path, "times", "inputs", "times", "2", "5").returncode == 0
    times = np.frombuffer((tmp_path / "times").read_bytes(), np.uint64)
    assert times.shape == (5,)
    assert (times > 0).all()
    refused = _run(tmp_path, "answers", "inputs", "outputs", TEST_NO_GPU="1")
    assert refused.returncode == 3
    assert b"no CUDA-capable device is detected" in refused.stderr
    (tmp_path / "driver" / "libcuda.so.1").unlink()
    absent = _run(tmp_path, "answers", "inputs", "outputs")
    assert absent.returncode == 3
    assert b"libcuda.so.1" in absent.stderr
    assert _run(tmp_path, "what").returncode == 2


def test_the_machine_at_hand_runs_it_like_any_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = canonicalize(ordinary_network(0))
    files = project_files(graph, load("cuda"))
    _place(files, tmp_path)
    program, runner = gpu_program(files, graph), runner_for(load("cuda"))
    rows = np.zeros((3, program.input_bytes), np.int8)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "driver"))
    outputs = runner.run(program, rows, RunLimits()).outputs
    assert np.abs(outputs.astype(int) - _reference(graph, rows)).max() <= 4
    monkeypatch.setenv("TEST_NO_GPU", "1")
    with pytest.raises(DeviceFaultError, match="no CUDA-capable device"):
        runner.run(program, rows, RunLimits())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    graph = canonicalize(ordinary_network(0))
    files = project_files(graph, _target(half=False))
    _place({**files, "edgeflow_weights.bin": files["edgeflow_weights.bin"][:-1]}, tmp_path)
    (tmp_path / "inputs").write_bytes(bytes(8))
    finished = _run(tmp_path, "answers", "inputs", "outputs")
    assert finished.returncode == 3
    assert b"not this network's" in finished.stderr


@pytest.mark.parametrize(
    ("name", "architecture", "version"),
    [("jetson-nano", "sm_53", "6.5"), ("jetson-orin-nano", "sm_87", "7.4")],
)
def test_boards_get_ptx_that_their_driver_compiles(
    name: str, architecture: str, version: str
) -> None:
    target = load(name)
    files = project_files(canonicalize(ordinary_network(0)), target)
    ptx = files["edgeflow_kernels.ptx"].decode()
    assert f"\n.version {version}\n" in ptx
    assert f"\n.target {architecture}\n" in ptx
    runner = read_elf(files[RUNNER])
    assert runner.instruction_set is InstructionSet.AARCH64
    assert target.linux is not None
    assert runner.glibc is not None
    assert runner.glibc <= target.linux.glibc_version
    assert "libcuda.so.1" not in runner.libraries


def test_kernels_that_need_newer_ptx_are_refused() -> None:
    source = (
        'extern "C" __global__ void edge(float *x) {\n'
        '    asm("tanh.approx.f32 %0, %0;" : "+f"(x[0]));\n}\n'
    )
    assert ".version 7.0" in nvrtc.to_ptx(source, "sm_75", "7.0")
    with pytest.raises(DoesNotFitError, match=r"PTX 6\.5 for sm_75: .*PTX ISA \.version 7\.0"):
        nvrtc.to_ptx(source, "sm_75", "6.5")


def test_what_the_compiler_says_is_told() -> None:
    with pytest.raises(ToolFailedError, match="expected"):
        nvrtc.to_ptx('extern "C" __global__ void edge(float *x) { x[0] = ; }', "sm_53", "6.5")


def test_a_target_without_gpu_gets_nothing() -> None:
    assert project_files(canonicalize(ordinary_network(0)), load("raspberry-pi-4")) == {}


def test_what_has_no_kernel_is_refused() -> None:
    from tests.backends.tvm.test_module import grouped_network

    with pytest.raises(UnsupportedOperatorError, match="grouped"):
        project_files(grouped_network(), _target(half=False))
