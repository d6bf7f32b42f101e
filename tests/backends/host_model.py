"""Generated C, compiled for this host and called layer by layer."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.arrangement import Arrangement, PlacedSegment, arrange
from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.kernel_set import library as kernel_library
from edgeflow.backends.firmware.rows import height, image_inputs, row_bytes, row_window
from edgeflow.backends.firmware.segment import Segment
from edgeflow.backends.firmware.source import LayerSymbol, SourceTree
from edgeflow.backends.firmware.toolchain import build_host_library
from edgeflow.graph.interpreter import trace
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import KernelSet

_MODEL_NAMES = re.compile(
    r"\bedgeflow_(?=(?:\d\d_|layer_\d\d_|arena\b|invoke\b|input\b|output\b|model\.|layers\.|weights\.))"
)


NO_PROLOGUES: Mapping[str, str] = MappingProxyType({})


def _prefixed(source: SourceTree, prefix: str) -> dict[str, str]:
    """The files with the names that belong to one model made unique; kernels keep theirs."""
    return {
        _MODEL_NAMES.sub(f"{prefix}edgeflow_", name): _MODEL_NAMES.sub(f"{prefix}edgeflow_", text)
        for name, text in source.files.items()
    }


class HostModel:
    """One model inside a shared library: its arena, and its layers as functions."""

    def __init__(
        self,
        library: ctypes.CDLL,
        source: SourceTree,
        prefix: str,
        graph: Graph,
        arrangement: Arrangement,
    ) -> None:
        self.source = source
        self._graph = graph
        self._arrangement = arrangement
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
        """What each layer leaves in the arena right after it ran, by output tensor.

        Of a tensor whose layer runs row by row: all rows that it makes, each as it was made.
        """
        self.write_input(x)
        outputs = {}
        by_node = {layer.node_name: layer for layer in self.source.layers}
        for step in self._arrangement.memory.steps:
            if step.name in self._arrangement.segments:
                segment = self._arrangement.segments[step.name]
                outputs.update(_RowRun(self, segment, by_node).run())
            elif step.name in by_node:
                layer = by_node[step.name]
                self.call(layer)
                end = layer.offset_bytes + layer.size_bytes
                outputs[layer.output_tensor] = self.arena[layer.offset_bytes : end].copy()
        return outputs

    def call(self, layer: LayerSymbol, *arguments: object) -> None:
        """Run the function of a layer."""
        getattr(self._library, self._prefix + layer.symbol)(*arguments)

    def invoke(self, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """The output of one run through the API of `edgeflow_model.h`."""
        self.write_input(x)
        getattr(self._library, f"{self._prefix}edgeflow_invoke")()
        text = ctypes.string_at(self._output(), self.source.output_bytes)
        return np.frombuffer(text, dtype=np.int8)


class _RowRun:
    """A segment, called row by row in the order of its plan, with the buffers moved as planned."""

    def __init__(
        self, model: HostModel, segment: PlacedSegment, layers: Mapping[str, LayerSymbol]
    ) -> None:
        self._model = model
        self._graph = model._graph
        self._segment = segment
        self._layers = layers
        self._first = dict.fromkeys(segment.plan.buffers, 0)
        self._made = dict.fromkeys(segment.plan.layers, 0)

    def run(self) -> dict[str, NDArray[np.int8]]:
        rows: dict[str, list[NDArray[np.int8]]] = {}
        for call in self._segment.plan.calls:
            node = self._graph.nodes[call.layer]
            output = node.outputs[0]
            size = row_bytes(self._graph.tensors[output])
            self._make_room(output, call.first, call.rows)
            reads = [
                self._place(n, self._needed(call.layer, n)) for n in image_inputs(self._graph, node)
            ]
            target = self._place(output, call.first)
            address = self._model.arena.ctypes.data
            self._model.call(
                self._layers[node.name],
                ctypes.c_int32(call.first),
                *(ctypes.c_void_p(address + at) for at in (*reads, target)),
            )
            made = self._model.arena[target : target + call.rows * size].copy()
            rows.setdefault(output, []).append(made)
            self._made[call.layer] += call.rows
        return {name: np.concatenate(parts) for name, parts in rows.items()}

    def _needed(self, index: int, name: str) -> int:
        window = row_window(self._graph, self._graph.nodes[index])
        assert window is not None
        return max(self._made[index] * window.stride - window.pad, 0)

    def _place(self, name: str, row: int) -> int:
        home = self._segment.plan.home.get(name, name)
        size = row_bytes(self._graph.tensors[name])
        if home not in self._first:
            assert 0 <= row < height(self._graph.tensors[home])
            return self._model._arrangement.memory.offset_bytes[home] + row * size
        at = row - self._first[home]
        assert 0 <= at < self._segment.plan.buffers[home].capacity
        return self._segment.buffer_offset_bytes[home] + at * size

    def _make_room(self, name: str, row: int, count: int) -> None:
        home = self._segment.plan.home[name]
        if home not in self._first:
            return
        buffer = self._segment.plan.buffers[home]
        if row + count - self._first[home] > buffer.capacity:
            members = [n for n, h in self._segment.plan.home.items() if h == home]
            keep = min(
                row,
                *(
                    self._needed(index, member)
                    for member in members
                    for index in self._segment.plan.layers
                    if member in self._graph.nodes[index].inputs
                ),
            )
            start, size = self._segment.buffer_offset_bytes[home], buffer.row_bytes
            kept = slice(
                start + (keep - self._first[home]) * size, start + (row - self._first[home]) * size
            )
            moved = self._model.arena[kept].copy()
            self._model.arena[start : start + moved.size] = moved
            self._first[home] = keep
            assert row + count - keep <= buffer.capacity


def merged_files(sources: Sequence[SourceTree]) -> dict[str, str]:
    """Several models beside one another: the names of model i start with `g<i>_`."""
    files: dict[str, str] = {}
    for index, source in enumerate(sources):
        files.update(_prefixed(source, f"g{index}_"))
    return files


def compile_models(
    graphs: Sequence[Graph],
    directory: Path,
    kernel_set: KernelSet = KernelSet.PORTABLE_C,
    segments: Sequence[Sequence[Segment]] | None = None,
    prologues: Mapping[str, str] = NO_PROLOGUES,
) -> list[HostModel]:
    """Several graphs in one library: one start of the compiler for all of them.

    `prologues` are put before the text of files by their names.
    """
    by_rows = [()] * len(graphs) if segments is None else segments
    pairs = list(zip(graphs, by_rows, strict=True))
    sources = [generate(graph, kernel_set, parts) for graph, parts in pairs]
    files = merged_files(sources)
    files |= {name: text + files[name] for name, text in prologues.items() if name in files}
    built = build_host_library(replace(sources[0], files=files))
    path = directory / f"models{len(list(directory.iterdir()))}{built.suffix}"
    path.write_bytes(built.library)
    library = ctypes.CDLL(str(path))
    return [
        HostModel(
            library,
            source,
            f"g{index}_",
            graph,
            arrange(graph, kernel_library(kernel_set), parts),
        )
        for index, (source, (graph, parts)) in enumerate(zip(sources, pairs, strict=True))
    ]


def assert_layers_match(
    graph: Graph, model: HostModel, inputs: Mapping[str, NDArray[np.int8]]
) -> None:
    """Every layer's output, and the API's, equal the interpreter's bit for bit."""
    expected = trace(graph, inputs)
    x = inputs[graph.inputs[0]]
    for name, output in model.run_layers(x).items():
        # A segment leaves out last rows that no layer reads.
        wrong = np.flatnonzero(output != expected[name].reshape(-1)[: output.size])
        assert wrong.size == 0, (
            f"{name}: {wrong.size} of {output.size} elements differ, first at {wrong[0]}: "
            f"{output[wrong[0]]} instead of {expected[name].reshape(-1)[wrong[0]]}"
        )
    assert np.array_equal(model.invoke(x), expected[graph.outputs[0]].reshape(-1))
