"""Generated C, compiled for this host and called layer by layer."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.toolchain import build_host_library
from edgeflow.graph.interpreter import trace
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import KernelSet

_MODEL_NAMES = re.compile(
    r"\bedgeflow_(?=(?:\d\d_|layer_\d\d_|arena\b|invoke\b|input\b|output\b|model\.|layers\.|weights\.))"
)


def _prefixed(source: SourceTree, prefix: str) -> dict[str, str]:
    """The files with the names that belong to one model made unique; kernels keep theirs."""
    return {
        _MODEL_NAMES.sub(f"{prefix}edgeflow_", name): _MODEL_NAMES.sub(f"{prefix}edgeflow_", text)
        for name, text in source.files.items()
    }


class HostModel:
    """One model inside a shared library: its arena, and its layers as functions."""

    def __init__(self, library: ctypes.CDLL, source: SourceTree, prefix: str) -> None:
        self.source = source
        self._library = library
        self._prefix = prefix
        arena = (ctypes.c_int8 * source.arena_bytes).in_dll(library, f"{prefix}edgeflow_arena")
        self.arena: NDArray[np.int8] = np.ctypeslib.as_array(arena)
        self._input = getattr(library, f"{prefix}edgeflow_input")
        self._input.restype = ctypes.c_void_p
        self._output = getattr(library, f"{prefix}edgeflow_output")
        self._output.restype = ctypes.c_void_p

    def write_input(self, x: NDArray[np.int8]) -> None:
        """Fill the arena with a pattern, so that stale zeros hide nothing, and put the input."""
        self.arena[:] = np.arange(self.arena.size, dtype=np.int64) % 251 - 125
        assert x.size == self.source.input_bytes
        ctypes.memmove(self._input(), np.ascontiguousarray(x).tobytes(), x.size)

    def run_layers(self, x: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
        """What each layer leaves in the arena right after it ran, by output tensor."""
        self.write_input(x)
        outputs = {}
        for layer in self.source.layers:
            getattr(self._library, self._prefix + layer.symbol)()
            end = layer.offset_bytes + layer.size_bytes
            outputs[layer.output_tensor] = self.arena[layer.offset_bytes : end].copy()
        return outputs

    def invoke(self, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """The output of one run through the API of `edgeflow_model.h`."""
        self.write_input(x)
        getattr(self._library, f"{self._prefix}edgeflow_invoke")()
        text = ctypes.string_at(self._output(), self.source.output_bytes)
        return np.frombuffer(text, dtype=np.int8)


def merged_files(sources: Sequence[SourceTree]) -> dict[str, str]:
    """Several models beside one another: the names of model i start with `g<i>_`."""
    files: dict[str, str] = {}
    for index, source in enumerate(sources):
        files.update(_prefixed(source, f"g{index}_"))
    return files


def compile_models(
    graphs: Sequence[Graph], directory: Path, kernel_set: KernelSet = KernelSet.PORTABLE_C
) -> list[HostModel]:
    """Several graphs in one library: one start of the compiler for all of them."""
    sources = [generate(graph, kernel_set) for graph in graphs]
    built = build_host_library(replace(sources[0], files=merged_files(sources)))
    path = directory / f"models{len(list(directory.iterdir()))}{built.suffix}"
    path.write_bytes(built.library)
    library = ctypes.CDLL(str(path))
    return [HostModel(library, source, f"g{index}_") for index, source in enumerate(sources)]


def assert_layers_match(
    graph: Graph, model: HostModel, inputs: Mapping[str, NDArray[np.int8]]
) -> None:
    """Every layer's output, and the API's, equal the interpreter's bit for bit."""
    expected = trace(graph, inputs)
    x = inputs[graph.inputs[0]]
    for name, output in model.run_layers(x).items():
        wrong = np.flatnonzero(output != expected[name].reshape(-1))
        assert wrong.size == 0, (
            f"{name}: {wrong.size} of {output.size} elements differ, first at {wrong[0]}: "
            f"{output[wrong[0]]} instead of {expected[name].reshape(-1)[wrong[0]]}"
        )
    assert np.array_equal(model.invoke(x), expected[graph.outputs[0]].reshape(-1))
