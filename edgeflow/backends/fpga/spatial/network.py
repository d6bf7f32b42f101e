"""From the integer graph to a network in space."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from edgeflow.backends.fpga.layer import Feature, Layer
from edgeflow.backends.fpga.layers import feature_of, layer_of
from edgeflow.backends.fpga.network import accelerated, answer_of, same_places
from edgeflow.backends.fpga.spatial.arrangement import Arrangement, Part, places_of
from edgeflow.backends.fpga.spatial.kernel import Form, kernel_of
from edgeflow.backends.fpga.spatial.stages import stages_of
from edgeflow.graph.ir import Graph, OpKind


def spatial_layers(graph: Graph) -> tuple[tuple[Layer, ...], Mapping[str, Feature]]:
    """The layers of a graph, each with all of its channels at once, and the feature maps.

    Raises UnsupportedOperatorError for what FPGAs do not run.
    """
    same = same_places(graph)
    features = {name: feature_of(graph.tensors[name]) for name in graph.inputs}
    layers = []
    for node in accelerated(graph):
        if node.kind is OpKind.RESHAPE:
            continue
        inputs = tuple(same.get(each, each) for each in node.inputs)
        data = tuple(each for each in inputs if not graph.tensors[each].is_constant)
        result = feature_of(graph.tensors[node.outputs[0]])
        layers.append(layer_of(graph, node, data, features[data[0]], result.channels))
        features[node.outputs[0]] = result
    return tuple(layers), features


def arrange(
    graph: Graph,
    layers: tuple[Layer, ...],
    features: Mapping[str, Feature],
    levels: int,
    tell: Callable[[str], None],
) -> Arrangement:
    """The network with at most so many adders between registers; `tell` hears of each layer."""
    given = graph.inputs[0]
    grid = graph.tensors[given].quantization
    assert grid is not None
    zero = grid.zero_points[0]
    forms = {given: Form(zero, -128 - zero, 127 - zero)}
    times = {given: 0}
    parts = []
    for number, layer in enumerate(layers):
        begin = time.monotonic()
        result = features[layer.output]
        kernel = kernel_of(layer, [forms[name] for name in layer.inputs], result.channels)
        stages = stages_of(kernel, levels)
        at = max(times[name] for name in layer.inputs)
        places = places_of(layer, features[layer.inputs[0]], result)
        padding = layer.input_zero_point - forms[layer.inputs[0]].zero
        parts.append(Part(layer, kernel, stages, places, at, padding))
        forms[layer.output] = kernel.result
        times[layer.output] = at + stages.cycles
        tell(
            f"layer {number + 1} of {len(layers)}: {len(places)} times {len(kernel.values):,} "
            f"values, {time.monotonic() - begin:.0f} s"
        )
    same = same_places(graph)
    answer = answer_of(graph)
    return Arrangement(tuple(parts), features, forms, times, given, same.get(answer, answer))
