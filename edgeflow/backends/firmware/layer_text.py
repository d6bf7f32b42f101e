"""The C functions of the layers: what the kernel set renders, as values for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from edgeflow.backends.firmware.arrangement import Arrangement, PlacedSegment
from edgeflow.backends.firmware.c_text import ConstantArray, Expression, Value, comment, initializer
from edgeflow.backends.firmware.kernel_set import KernelLibrary
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.rows import Band, band_layer, bands, image_inputs
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.ir import Graph, Node

_ROW_PARAMETERS = {1: ("input",), 2: ("first", "second")}


@dataclass(frozen=True)
class Variant:
    """A rendering of a layer: for its output rows from `first_row` on, up to the next variant's."""

    first_row: int
    rendered: RenderedLayer


@dataclass(frozen=True)
class Layer:
    """A node that has code; of several variants where it runs row by row."""

    index: int
    node: Node
    variants: tuple[Variant, ...]
    segment: PlacedSegment | None = None

    @property
    def symbol(self) -> str:
        """Its C function."""
        return f"edgeflow_layer_{self.index:02d}_{self.node.kind.lower()}"

    @property
    def calls(self) -> tuple[KernelCall, ...]:
        """The kernel calls of all variants."""
        return tuple(call for variant in self.variants for call in variant.rendered.calls)

    @property
    def constants(self) -> tuple[ConstantArray, ...]:
        """The arrays of all variants, each once."""
        arrays = [array for variant in self.variants for array in variant.rendered.constants]
        return tuple({array.name: array for array in arrays}.values())


def render_layers(
    graph: Graph, kernels: KernelLibrary, arrangement: Arrangement
) -> tuple[Layer, ...]:
    """Every node of the graph, in order; those without calls need no code.

    Raises UnsupportedOperatorError for a node that the kernel set has no kernel for.
    """
    segment_of = {
        index: segment
        for segment in arrangement.segments.values()
        for index in segment.plan.segment.nodes(graph)
    }
    layers = []
    for index, node in enumerate(graph.nodes):
        if node.kind not in kernels.renderers:
            raise UnsupportedOperatorError(
                f"{node.name}: the kernel set '{kernels.name}' has no kernel for {node.kind}",
                hint=f"It has kernels for: {', '.join(sorted(kernels.renderers))}.",
            )
        if index in segment_of:
            variants = _row_variants(graph, kernels, segment_of[index], index)
            layers.append(Layer(index, node, variants, segment_of[index]))
        else:
            memory = arrangement.memory
            context = LayerContext(
                graph=graph,
                node=node,
                prefix=_prefix(index),
                offset_bytes=memory.offset_bytes,
                scratch_offset_bytes=memory.scratch_offset_bytes.get(node.name),
            )
            layers.append(Layer(index, node, (Variant(0, kernels.renderers[node.kind](context)),)))
    return tuple(layers)


def _prefix(index: int) -> str:
    return f"edgeflow_{index:02d}"


def row_parameters(graph: Graph, node: Node) -> dict[str, str]:
    """The parameters of a layer that runs row by row: the tensors that it reads, by name."""
    images = image_inputs(graph, node)
    return dict(zip(images, _ROW_PARAMETERS[len(images)], strict=True))


def _row_variants(
    graph: Graph, kernels: KernelLibrary, segment: PlacedSegment, index: int
) -> tuple[Variant, ...]:
    """A variant for each run of bands that are alike: at the edges of the image, and inside."""
    node = graph.nodes[index]
    rows = segment.plan.layers[index].rows
    runs = [next(run) for _, run in groupby(bands(graph, node, rows), key=lambda b: b.shape)]
    variants: list[Variant] = []
    constants: dict[str, ConstantArray] = {}
    for number, band in enumerate(runs):
        rendered = _render_band(graph, kernels, segment, index, band, _prefix(index))
        if any(_differs(constants, array) for array in rendered.constants):
            own = f"{_prefix(index)}_{number}"
            rendered = _render_band(graph, kernels, segment, index, band, own)
        constants.update({array.name: array for array in rendered.constants})
        variants.append(Variant(band.first, rendered))
    return tuple(variants)


def _differs(known: Mapping[str, ConstantArray], array: ConstantArray) -> bool:
    other = known.get(array.name)
    return other is not None and not np.array_equal(other.values, array.values)


def _render_band(
    graph: Graph,
    kernels: KernelLibrary,
    segment: PlacedSegment,
    index: int,
    band: Band,
    prefix: str,
) -> RenderedLayer:
    node = graph.nodes[index]
    cut_graph, cut = band_layer(graph, node, band)
    places = {**row_parameters(graph, node), node.outputs[0]: "output"}
    context = LayerContext(
        graph=cut_graph,
        node=cut,
        prefix=prefix,
        offset_bytes={},
        scratch_offset_bytes=segment.scratch_offset_bytes,
        given_places={name: Expression(text) for name, text in places.items()},
    )
    return kernels.renderers[node.kind](context)


def layer_values(graph: Graph, layer: Layer) -> Mapping[str, object]:
    """A layer's function for the template: its parameters, structs and calls."""
    groups = [list(run) for _, run in groupby(layer.variants, key=lambda v: _shape_of(v.rendered))]
    return {
        "symbol": layer.symbol,
        "parameters": _parameters(graph, layer),
        "comment_lines": _comment_lines(graph, layer),
        "takes_row": layer.segment is not None,
        "needs_row": len(layer.variants) > 1,
        "groups": [
            {
                "before_row": after[0].first_row if after else None,
                "calls": _call_values(group, str(number) if len(groups) > 1 else ""),
            }
            for number, (group, after) in enumerate(pairwise([*groups, []]))
        ],
    }


def _parameters(graph: Graph, layer: Layer) -> str:
    if layer.segment is None:
        return "void"
    reads = [f"const int8_t *{name}" for name in row_parameters(graph, layer.node).values()]
    return ", ".join(["int32_t row", *reads, "int8_t *output"])


def _shape_of(rendered: RenderedLayer) -> tuple[object, ...]:
    """What variants have in common that differ in nothing but their structs."""
    return tuple((call.function, call.layer_type, call.arguments) for call in rendered.calls)


def _call_values(group: Sequence[Variant], suffix: str) -> list[Mapping[str, object]]:
    several = len(group[0].rendered.calls) > 1
    calls: list[Mapping[str, object]] = []
    for number, call in enumerate(group[0].rendered.calls):
        variable = "_".join(["layer", *(([str(number)]) if several else []), *suffix])
        structs = [variant.rendered.calls[number].layer for variant in group]
        same = all(struct == structs[0] for struct in structs)
        picked = "" if same else f"[{_pick(group)}]"
        arguments = [f"&{variable}{picked}", *(argument.text for argument in call.arguments)]
        calls.append(
            {
                "layer_type": call.layer_type,
                "variable": variable if same else f"{variable}[]",
                "initializer": initializer(structs[0] if same else _table(structs), 1),
                "function": call.function,
                "arguments": ", ".join(arguments),
            }
        )
    return calls


def _pick(group: Sequence[Variant]) -> str:
    """Which of several structs a row takes."""
    return " + ".join(f"(row >= {variant.first_row})" for variant in group[1:])


def _table(structs: Sequence[Mapping[str, Value]]) -> Value:
    return tuple(structs)


def _comment_lines(graph: Graph, layer: Layer) -> list[str]:
    def shape(name: str) -> str:
        return str(list(graph.tensors[name].shape))

    node = layer.node
    inputs = ", ".join(shape(name) for name in node.inputs if not graph.tensors[name].is_constant)
    lines = [
        comment(f"{node.kind} {node.name}"),
        comment(f"{inputs or 'constant'} -> {shape(node.outputs[0])}"),
    ]
    if layer.segment is not None:
        rows = layer.segment.plan.layers[layer.index].rows
        lines.append(comment(f"{rows} row{'s'[: rows > 1]} from the given one on"))
    return lines
