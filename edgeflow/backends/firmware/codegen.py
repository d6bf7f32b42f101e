"""From a checked integer graph to readable C99: the model, its constants and its kernels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from edgeflow import __version__
from edgeflow.backends.firmware.arrangement import arrange
from edgeflow.backends.firmware.c_text import ConstantArray, array_rows, comment
from edgeflow.backends.firmware.kernel_set import KernelLibrary, library
from edgeflow.backends.firmware.layer_text import Layer, layer_values, render_layers
from edgeflow.backends.firmware.planner import MemoryPlan
from edgeflow.backends.firmware.segment import Segment
from edgeflow.backends.firmware.segment_text import (
    HEADER,
    SOURCE,
    segment_symbol,
    segment_values,
)
from edgeflow.backends.firmware.sharing import tensor_bytes
from edgeflow.backends.firmware.source import LayerSymbol, SourceTree
from edgeflow.errors import ModelError
from edgeflow.graph.ir import DType, Graph, Tensor
from edgeflow.targets.schema import KernelSet

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = (
    "edgeflow_model.h",
    "edgeflow_model.c",
    "edgeflow_layers.h",
    "edgeflow_weights.h",
    "edgeflow_weights.c",
)
_LEAST_ALIGNMENT_BYTES = 16
_INCLUDE = re.compile(r'^#include "([A-Za-z0-9_.]+)"$', re.MULTILINE)


def generate(graph: Graph, kernel_set: KernelSet, segments: Sequence[Segment] = ()) -> SourceTree:
    """C sources for a checked graph; the same graph gives the same text.

    `segments` are the parts of it that run row by row, in order and apart from each other.

    Raises:
        ModelError: more than one input or output, or one that is not int8 in RAM.
        UnsupportedOperatorError: a node for which the kernel set has no kernel.
        UnknownNameError: an unknown kernel set.
    """
    source, target = _interface(graph)
    kernels = library(kernel_set)
    arrangement = arrange(graph, kernels, segments)
    memory = arrangement.memory
    arena_bytes = max(memory.arena_bytes, 1)
    rendered = render_layers(graph, kernels, arrangement)
    layers = [layer for layer in rendered if layer.calls]
    arrays = [array for layer in layers for array in layer.constants]
    weight_bytes = sum(array.size_bytes for array in arrays)
    by_index = {layer.index: layer for layer in rendered}
    values = {
        "title": comment(graph.name),
        "version": __version__,
        "io": [_io_values("INPUT", source), _io_values("OUTPUT", target)],
        "arena_bytes": arena_bytes,
        "weight_bytes": weight_bytes,
        "headers": _headers(layers, segments),
        "layers": [layer_values(graph, layer) for layer in layers],
        "segments": [
            segment_values(graph, segment, memory.offset_bytes, by_index)
            for segment in arrangement.segments.values()
        ],
        "arrays": [_array_values(array) for array in arrays],
        "arena_alignment_bytes": max(_LEAST_ALIGNMENT_BYTES, kernels.alignment_bytes),
        "constant_alignment_bytes": kernels.constant_alignment_bytes,
        "input_offset": memory.offset_bytes[source.name],
        "output_offset": memory.offset_bytes[target.name],
        "steps": _steps(rendered),
    }
    model_files = {
        name: _environment().get_template(f"{name}.j2").render(values) for name in TEMPLATES
    }
    kernel_files = _kernel_files(kernels, layers, segments)
    return SourceTree(
        files=MappingProxyType(dict(sorted({**kernel_files, **model_files}.items()))),
        layers=tuple(_layer_symbol(graph, memory, layer) for layer in layers),
        arena_bytes=arena_bytes,
        weight_bytes=weight_bytes,
        input_bytes=tensor_bytes(source),
        output_bytes=tensor_bytes(target),
    )


def memory_plan(
    graph: Graph, kernel_set: KernelSet, segments: Sequence[Segment] = ()
) -> MemoryPlan:
    """The plan that `generate` follows."""
    return arrange(graph, library(kernel_set), segments).memory


def _interface(graph: Graph) -> tuple[Tensor, Tensor]:
    """The input and the output of a model."""
    for role, names in (("input", graph.inputs), ("output", graph.outputs)):
        if len(names) != 1:
            raise ModelError(
                f"graph '{graph.name}' has {len(names)} {role}s; firmware takes exactly one",
                hint=f"Build a model of one {role}, or join them with CONCATENATION.",
            )
        tensor = graph.tensors[names[0]]
        if tensor.is_constant or tensor.dtype is not DType.INT8 or tensor.quantization is None:
            raise ModelError(
                f"graph '{graph.name}': {role} '{tensor.name}' is not a quantized int8 activation",
                hint="Firmware reads and writes int8 tensors.",
            )
    return graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]


def _headers(layers: Sequence[Layer], segments: Sequence[Segment]) -> list[str]:
    headers = {call.header for layer in layers for call in layer.calls}
    return sorted(headers | {HEADER} if segments else headers)


def _kernel_files(
    kernels: KernelLibrary, layers: Sequence[Layer], segments: Sequence[Segment]
) -> dict[str, str]:
    """The files that the calls need, with the headers that they include."""
    calls = [call for layer in layers for call in layer.calls]
    wanted = [name for call in calls for name in (call.header, *call.sources)]
    wanted = sorted({*wanted, *([HEADER, SOURCE] if segments else [])})
    found: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = kernels.source(name)
            wanted.extend(_INCLUDE.findall(found[name]))
    return found


def _io_values(role: str, tensor: Tensor) -> Mapping[str, object]:
    assert tensor.quantization is not None
    return {
        "role": role,
        "comment": comment(f"{role.capitalize()} {tensor.name}"),
        "size_bytes": tensor_bytes(tensor),
        "shape": tensor.shape,
        "scale": f"{np.float32(tensor.quantization.scales[0]):.9e}f",
        "zero_point": tensor.quantization.zero_points[0],
    }


def _array_values(array: ConstantArray) -> Mapping[str, object]:
    return {
        "name": array.name,
        "element": array.element.value,
        "elements": array.values.size,
        "comment": comment(array.comment),
        "rows": array_rows(array),
    }


def _steps(rendered: Iterable[Layer]) -> list[str]:
    """The statements of `edgeflow_invoke`: a call for each layer or segment of layers."""
    lines: dict[str, None] = {}
    for layer in rendered:
        if layer.segment is not None:
            lines[f"{segment_symbol(layer.segment)}();"] = None
        elif layer.calls:
            lines[f"{layer.symbol}();"] = None
        else:
            lines[f"/* {comment(f'{layer.node.kind} {layer.node.name}')}: in place */"] = None
    return list(lines)


def _layer_symbol(graph: Graph, memory: MemoryPlan, layer: Layer) -> LayerSymbol:
    output = layer.node.outputs[0]
    offset, size, calls = memory.offset_bytes.get(output, 0), tensor_bytes(graph.tensors[output]), 1
    if layer.segment is not None:
        found = layer.segment.plan
        calls = sum(call.layer == layer.index for call in found.calls)
        home = found.home[output]
        if home in found.buffers:
            offset = layer.segment.buffer_offset_bytes[home]
            size = found.buffers[home].size_bytes
        else:
            offset = memory.offset_bytes[home]
    return LayerSymbol(
        symbol=layer.symbol,
        node_name=layer.node.name,
        kind=layer.node.kind,
        output_tensor=output,
        offset_bytes=offset,
        size_bytes=size,
        calls=calls,
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("edgeflow.backends.firmware", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
