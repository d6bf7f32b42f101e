"""From a checked integer graph to readable C99: the model, its constants and its kernels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from edgeflow import __version__
from edgeflow.backends.firmware.c_text import ConstantArray, array_rows, comment, initializer
from edgeflow.backends.firmware.kernel_set import (
    KernelCall,
    KernelLibrary,
    LayerContext,
    RenderedLayer,
    library,
)
from edgeflow.backends.firmware.planner import MemoryPlan, plan, tensor_bytes
from edgeflow.backends.firmware.source import LayerSymbol, SourceTree
from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.graph.ir import DType, Graph, Node, Tensor
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
_INCLUDE = re.compile(r'^#include "([A-Za-z0-9_.]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class _Layer:
    """A node that has code."""

    node: Node
    symbol: str
    rendered: RenderedLayer


def generate(graph: Graph, kernel_set: KernelSet) -> SourceTree:
    """C sources for a checked graph; the same graph gives the same text.

    Raises:
        ModelError: more than one input or output, or one that is not int8 in RAM.
        UnsupportedOperatorError: a node for which the kernel set has no kernel.
        UnknownNameError: an unknown kernel set.
    """
    source, target = _interface(graph)
    kernels = library(kernel_set)
    memory = memory_plan(graph, kernel_set)
    arena_bytes = max(memory.arena_bytes, 1)
    rendered = [_render(graph, kernels, memory, i, node) for i, node in enumerate(graph.nodes)]
    layers = [layer for layer in rendered if layer.rendered.calls]
    arrays = [array for layer in layers for array in layer.rendered.constants]
    weight_bytes = sum(array.size_bytes for array in arrays)
    kernel_files = _kernel_files(kernels, [c for layer in layers for c in layer.rendered.calls])
    values = {
        "title": comment(graph.name),
        "version": __version__,
        "io": [_io_values("INPUT", source), _io_values("OUTPUT", target)],
        "arena_bytes": arena_bytes,
        "weight_bytes": weight_bytes,
        "headers": sorted({call.header for layer in layers for call in layer.rendered.calls}),
        "layers": [_layer_values(graph, layer) for layer in layers],
        "arrays": [_array_values(array) for array in arrays],
        "input_offset": memory.offset_bytes[source.name],
        "output_offset": memory.offset_bytes[target.name],
        "steps": [_step(layer) for layer in rendered],
    }
    model_files = {
        name: _environment().get_template(f"{name}.j2").render(values) for name in TEMPLATES
    }
    return SourceTree(
        files=MappingProxyType(dict(sorted({**kernel_files, **model_files}.items()))),
        layers=tuple(_layer_symbol(graph, memory, layer) for layer in layers),
        arena_bytes=arena_bytes,
        weight_bytes=weight_bytes,
        input_bytes=tensor_bytes(source),
        output_bytes=tensor_bytes(target),
    )


def memory_plan(graph: Graph, kernel_set: KernelSet) -> MemoryPlan:
    """The plan that `generate` follows: the tensors and the scratch that the kernels ask for."""
    kernels = library(kernel_set)
    scratch = {node.name: kernels.scratch_bytes(graph, node) for node in graph.nodes}
    overlaps = {node.name: kernels.overlap_bytes(graph, node) for node in graph.nodes}
    return plan(
        graph,
        scratch_bytes=scratch,
        overlap_bytes={name: found for name, found in overlaps.items() if found is not None},
        alignment_bytes=kernels.alignment_bytes,
    )


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


def _render(
    graph: Graph, kernels: KernelLibrary, memory: MemoryPlan, index: int, node: Node
) -> _Layer:
    renderer = kernels.renderers.get(node.kind)
    if renderer is None:
        raise UnsupportedOperatorError(
            f"{node.name}: the kernel set '{kernels.name}' has no kernel for {node.kind}",
            hint=f"It has kernels for: {', '.join(sorted(kernels.renderers))}.",
        )
    context = LayerContext(
        graph=graph,
        node=node,
        prefix=f"edgeflow_{index:02d}",
        offset_bytes=memory.offset_bytes,
        scratch_offset_bytes=memory.scratch_offset_bytes.get(node.name),
    )
    return _Layer(node, f"edgeflow_layer_{index:02d}_{node.kind.lower()}", renderer(context))


def _kernel_files(kernels: KernelLibrary, calls: Iterable[KernelCall]) -> dict[str, str]:
    """The kernels' files that the calls need, with the headers that they include."""
    wanted = sorted({name for call in calls for name in (call.header, *call.sources)})
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


def _layer_values(graph: Graph, layer: _Layer) -> Mapping[str, object]:
    several = len(layer.rendered.calls) > 1
    calls = []
    for index, call in enumerate(layer.rendered.calls):
        variable = f"layer_{index}" if several else "layer"
        arguments = [f"&{variable}", *(argument.text for argument in call.arguments)]
        calls.append(
            {
                "layer_type": call.layer_type,
                "variable": variable,
                "initializer": initializer(call.layer, 1),
                "function": call.function,
                "arguments": ", ".join(arguments),
            }
        )
    return {"symbol": layer.symbol, "comment_lines": _comment_lines(graph, layer), "calls": calls}


def _comment_lines(graph: Graph, layer: _Layer) -> list[str]:
    def shape(name: str) -> str:
        return str(list(graph.tensors[name].shape))

    node = layer.node
    inputs = ", ".join(shape(name) for name in node.inputs if not graph.tensors[name].is_constant)
    return [
        comment(f"{node.kind} {node.name}"),
        comment(f"{inputs or 'constant'} -> {shape(node.outputs[0])}"),
    ]


def _array_values(array: ConstantArray) -> Mapping[str, object]:
    return {
        "name": array.name,
        "element": array.element.value,
        "elements": array.values.size,
        "comment": comment(array.comment),
        "rows": array_rows(array),
    }


def _step(layer: _Layer) -> str:
    if layer.rendered.calls:
        return f"{layer.symbol}();"
    return f"/* {comment(f'{layer.node.kind} {layer.node.name}')}: in place */"


def _layer_symbol(graph: Graph, memory: MemoryPlan, layer: _Layer) -> LayerSymbol:
    output = graph.tensors[layer.node.outputs[0]]
    return LayerSymbol(
        symbol=layer.symbol,
        node_name=layer.node.name,
        kind=layer.node.kind,
        output_tensor=output.name,
        offset_bytes=memory.offset_bytes[output.name],
        size_bytes=tensor_bytes(output),
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
