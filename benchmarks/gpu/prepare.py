"""What the measurement needs: `python -m benchmarks.gpu.prepare FOLDER --shared DIR`, where TVM is.

A folder for each model: the files of a bundle's `gpu/`, the network as float32 ONNX for PyTorch,
inputs on the integer graph's grid, the interpreter's answers, and ONNX Runtime's in float32.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.linux.__main__ import MODELS
from edgeflow.backends.gpu.project import project_files
from edgeflow.exchange import onnx_plain, tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph, Quantization
from edgeflow.targets.registry import load

ROWS = 32


def prepare(model: bytes, folder: Path) -> None:
    """Everything of one model."""
    graph = canonicalize(tflite.read(model))
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    inputs = np.random.default_rng(1).integers(-128, 128, (ROWS, *shape), dtype=np.int8)
    floats = onnx_plain.write(tflite.read(model))
    folder.mkdir(parents=True)
    for name, content in project_files(graph, load("cuda")).items():
        (folder / name).write_bytes(content)
    (folder / "float.onnx").write_bytes(floats)
    (folder / "inputs").write_bytes(inputs.tobytes())
    (folder / "interpreter").write_bytes(run_batch(graph, inputs).tobytes())
    (folder / "reference").write_bytes(_reference(floats, graph, inputs).tobytes())
    grid = _grid(graph, graph.inputs[0])
    np.savez(folder / "grid.npz", scale=grid.scales[0], zero=grid.zero_points[0], shape=shape)


def _grid(graph: Graph, name: str) -> Quantization:
    grid = graph.tensors[name].quantization
    assert grid is not None
    return grid


def _reference(model: bytes, graph: Graph, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """ONNX Runtime's float32 answers on the output's grid."""
    import onnxruntime

    given, got = _grid(graph, graph.inputs[0]), _grid(graph, graph.outputs[0])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rows = []
    for row in inputs:
        real = ((row.astype(np.float32) - given.zero_points[0]) * given.scales[0])[None]
        real = real.transpose(0, 3, 1, 2) if real.ndim == 4 else real
        (answer,) = session.run(None, {session.get_inputs()[0].name: real.astype(np.float32)})
        rows.append(np.rint(answer.ravel() / got.scales[0]) + got.zero_points[0])
    return np.clip(np.stack(rows), -128, 127).astype(np.int8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare all models; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.prepare", description=__doc__)
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--shared", type=Path, required=True, help="folder with mlperf_tiny/")
    options = parser.parse_args(arguments)
    for name, file in MODELS.items():
        model = (options.shared / "mlperf_tiny" / f"{file}.tflite").read_bytes()
        prepare(model, options.folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
