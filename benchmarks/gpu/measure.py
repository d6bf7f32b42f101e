"""Our GPU runner against PyTorch: `python -m benchmarks.gpu.measure FOLDER --output FILE`.

FOLDER is what benchmarks.gpu.prepare wrote; PyTorch with CUDA, NumPy and onnx are all that this
needs. Batch 1, float16 values, copies of input and output from and to pinned memory included:
every contestant is one CUDA graph and a wait for it, rounds in turns. PyTorch's graphs hold what
torch.compile (max-autotune) or eager mode launches, which is its fastest way at this size; calls of
torch.compile with its own graphs are measured beside them. Before that, all answers are compared.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.torch_network import OnnxNetwork

OURS = "edgeflow float16"
COMPILED, EAGER = "torch.compile, one graph", "torch eager, one graph"
CALLED, COPIES = "torch.compile reduce-overhead", "copies alone, one graph"
WARM_UP, REPETITIONS = 200, 1000
_SECONDS = 300.0


def ours(folder: Path, repetitions: int) -> Callable[[], float]:
    """Median seconds of a round of our runner."""

    def round_seconds() -> float:
        times = folder / "times"
        command = [folder / "edgeflow_gpu_runner", "times", folder / "inputs", times]
        _run([*command, str(WARM_UP), str(repetitions)])
        return float(np.median(np.fromfile(times, np.uint64))) * 1e-9

    return round_seconds


def _run(command: Sequence[object]) -> None:
    subprocess.run([str(word) for word in command], check=True, timeout=_SECONDS)


def answers(folder: Path) -> dict[str, Any]:
    """How far our runner's answers are from ONNX Runtime's float32 and from the interpreter's."""
    runner, got = folder / "edgeflow_gpu_runner", folder / "answers"
    got.unlink(missing_ok=True)
    _run([runner, "answers", folder / "inputs", got])
    found = {}
    for name in ("reference", "interpreter"):
        theirs = np.fromfile(folder / name, np.int8).astype(int)
        steps = np.abs(np.fromfile(got, np.int8).astype(int) - theirs)
        found[name] = {
            "values": int(steps.size),
            "equal": int((steps == 0).sum()),
            "most_steps": int(steps.max()),
        }
    return found


def graphed(call: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor) -> Any:
    """One CUDA graph of copy, network and copy; a call of the result runs it and waits."""
    device = torch.empty_like(given, device="cuda")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side), torch.no_grad():
        for _ in range(3):
            device.copy_(given, non_blocking=True)
            result = call(device)
        got = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.no_grad():
        device.copy_(given, non_blocking=True)
        got.copy_(call(device), non_blocking=True)
    replay, wait = graph.replay, torch.cuda.synchronize

    def invoke() -> torch.Tensor:
        replay()
        wait()
        return got

    return invoke


def called(call: Callable[[torch.Tensor], torch.Tensor], given: torch.Tensor) -> Any:
    """A call as a user writes it: to the GPU, through the network, and back."""

    def invoke() -> torch.Tensor:
        with torch.no_grad():
            return call(given.to("cuda", non_blocking=True)).cpu()

    return invoke


def rounds_of(invoke: Callable[[], object], repetitions: int) -> Callable[[], float]:
    """Median seconds of a round."""

    def round_seconds() -> float:
        times = []
        for index in range(WARM_UP + repetitions):
            start = time.perf_counter_ns()
            invoke()
            if index >= WARM_UP:
                times.append(time.perf_counter_ns() - start)
        return median(times) * 1e-9

    return round_seconds


def contestants(folder: Path, repetitions: int) -> dict[str, Callable[[], float]]:
    """All of one model, by name."""
    grid = np.load(folder / "grid.npz")
    shape = tuple(int(size) for size in grid["shape"])
    row = np.fromfile(folder / "inputs", np.int8)[: int(np.prod(shape))].reshape(1, *shape)
    real = torch.from_numpy((row.astype(np.float32) - grid["zero"]) * grid["scale"]).half()
    if real.ndim == 4:
        real = real.permute(0, 3, 1, 2)
    given = real.pin_memory()
    network = OnnxNetwork(str(folder / "float.onnx")).half().cuda().eval()
    if real.ndim == 4:
        network = network.to(memory_format=torch.channels_last)
    torch._dynamo.reset()
    best = torch.compile(network, mode="max-autotune-no-cudagraphs")
    invocations = {
        COMPILED: graphed(best, given),
        EAGER: graphed(network, given),
        CALLED: called(torch.compile(network, mode="reduce-overhead"), given),
        COPIES: graphed(lambda x: x.flatten()[:10], given),
    }
    return {
        OURS: ours(folder, repetitions),
        **{name: rounds_of(each, repetitions) for name, each in invocations.items()},
    }


def measure(folder: Path, count: int, repetitions: int) -> dict[str, Any]:
    """Answers and times of one model."""
    (folder / "edgeflow_gpu_runner").chmod(0o755)
    compared = answers(folder)
    entered = contestants(folder, repetitions)
    found: dict[str, list[float]] = {name: [] for name in entered}
    for _ in range(count):
        for name, round_seconds in entered.items():
            found[name].append(round_seconds())
    return {
        "answers": compared,
        "seconds": {
            name: {"median": median(s), "least": min(s), "most": max(s)}
            for name, s in found.items()
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all models of the folder and tell; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.measure", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else list(arguments)
    document: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.gpu.measure", *given]),
        "kind": "measured",
        "gpu": torch.cuda.get_device_name(),
        "versions": {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "python": platform.python_version(),
        },
        "models": {},
    }
    for folder in sorted(each for each in options.folder.iterdir() if each.is_dir()):
        row = measure(folder, options.rounds, options.repetitions)
        document["models"][folder.name] = row
        text = json.dumps(document, indent=1) + "\n"
        options.output.write_text(text, encoding="utf-8", newline="\n")
        seconds = ", ".join(
            f"{name} {each['median'] * 1e6:.1f} us" for name, each in row["seconds"].items()
        )
        sys.stdout.write(f"{folder.name}: {seconds}; answers {row['answers']}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
