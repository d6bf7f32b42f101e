"""The whole graph as a network of the accelerator's layers, with its feature maps in one memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.placement import Block, place
from edgeflow.backends.fpga.exact_steps import (
    LEAST_SHIFT,
    MOST_BITS,
    MOST_SHIFT,
    USUAL_SHIFT,
    Scaling,
    scaling,
)
from edgeflow.backends.fpga.layer import Feature, Layer, Network
from edgeflow.backends.fpga.layers import feature_of, layer_of, unsupported
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.graph.kernels import KERNELS

HOST_KINDS = (OpKind.SOFTMAX,)
"""Operators at the end of a graph that the host computes from the answer."""


def network_of(graph: Graph, lanes: int, multiplier_bits: int = MOST_BITS) -> Network:
    """The network for so many lanes, with multipliers of so many bits where that suffices.

    Raises UnsupportedOperatorError for what the accelerator does not do.
    """
    same = same_places(graph)
    features = {name: feature_of(graph.tensors[name]) for name in graph.inputs}
    layers: list[Layer] = []
    for node in accelerated(graph):
        if node.kind is OpKind.RESHAPE:
            continue
        inputs = tuple(same.get(each, each) for each in node.inputs)
        data = tuple(each for each in inputs if not graph.tensors[each].is_constant)
        layers.append(layer_of(graph, node, data, features[data[0]], lanes))
        features[node.outputs[0]] = feature_of(graph.tensors[node.outputs[0]])
    answer = answer_of(graph)
    answer = same.get(answer, answer)
    places, words = _places(layers, features, graph.inputs[0], answer, lanes)
    shift, scalings = _narrowest_scalings(layers, multiplier_bits)
    return Network(
        lanes=lanes,
        layers=tuple(layers),
        shift=shift,
        scalings=scalings,
        features=features,
        places=dict(places),
        memory_words=words,
        given=graph.inputs[0],
        answer=answer,
    )


def _narrowest_scalings(layers: Sequence[Layer], bits: int) -> tuple[int, tuple[Scaling, ...]]:
    """Those of so many bits, or of as many as there are: more cost hardware multipliers."""
    if bits < MOST_BITS:
        try:
            return _scalings(layers, bits)
        except UnsupportedOperatorError:
            pass
    return _scalings(layers, MOST_BITS)


def _scalings(layers: Sequence[Layer], bits: int) -> tuple[int, tuple[Scaling, ...]]:
    """A shift for which all layers have exact constants, and these.

    The largest of the usual ones, as precise as their adders are wide; larger ones where none does.
    """
    largest = max((float(layer.steps.scales.max()) for layer in layers), default=1.0)
    most = bits - math.ceil(math.log2(largest))
    usual = min(USUAL_SHIFT, most)
    inexact = None
    larger = range(usual + 1, min(MOST_SHIFT, most) + 1)
    for shift in (*range(usual, LEAST_SHIFT - 1, -1), *larger):
        found: list[Scaling] = []
        for layer in layers:
            constants = scaling(layer.steps, shift, bits)
            if constants is None:
                inexact = layer
                break
            found.append(constants)
        else:
            return shift, tuple(found)
    assert inexact is not None
    raise UnsupportedOperatorError(
        f"{inexact.kind} '{inexact.name}': no multiplier of {bits} bits requantizes it exactly.",
        hint="See docs/fpga.md: scales of one network may lie no further apart.",
    )


def accelerated(graph: Graph) -> tuple[Node, ...]:
    """The nodes before the host's part."""
    nodes = list(graph.nodes)
    while nodes and nodes[-1].kind in HOST_KINDS and nodes[-1].outputs == graph.outputs:
        nodes.pop()
    return tuple(nodes)


def answer_of(graph: Graph) -> str:
    """The tensor that the accelerator answers with."""
    nodes = accelerated(graph)
    return nodes[-1].outputs[0] if nodes else graph.inputs[0]


def same_places(graph: Graph) -> Mapping[str, str]:
    """Results of reshapes by the tensors in whose places they are read.

    Flattening keeps the order of values, and where a dense layer reads it, nothing must move.
    """
    same: dict[str, str] = {}
    for node in graph.nodes:
        if node.kind is not OpKind.RESHAPE:
            continue
        source, result = node.inputs[0], node.outputs[0]
        before, after = (graph.tensors[name].shape for name in (source, result))
        flat = int(np.prod(after)) == max(after)
        if not flat and before != after:
            raise unsupported(node, f"from {list(before)} to {list(after)} values must move")
        same[result] = same.get(source, source)
    _check_flattened(graph, same)
    return same


def _check_flattened(graph: Graph, same: Mapping[str, str]) -> None:
    """A flattened map of several pixels is only read by dense layers, or leaves."""
    for node in graph.nodes:
        for name in node.inputs:
            pixels = feature_of(graph.tensors[same[name]]) if name in same else None
            several = pixels is not None and pixels.height * pixels.width > 1
            if several and node.kind not in (OpKind.FULLY_CONNECTED, OpKind.RESHAPE):
                raise unsupported(node, "it reads a flattened map")


def _places(
    layers: Sequence[Layer],
    features: Mapping[str, Feature],
    given: str,
    answer: str,
    lanes: int,
) -> tuple[Mapping[str, int], int]:
    """Where each feature map lies, by the memory planner of firmware; in words."""
    first = {given: 0}
    last = {given: 0}
    for step, layer in enumerate(layers):
        first[layer.output] = last[layer.output] = step
        for name in layer.inputs:
            last[name] = step
    last[answer] = len(layers)
    names = list(first)
    blocks = [Block(features[name].words(lanes), first[name], last[name]) for name in names]
    placement = place(blocks, 1)
    return dict(zip(names, placement.offset_bytes, strict=True)), placement.arena_bytes


def finish(graph: Graph, answers: NDArray[np.int8]) -> NDArray[np.int8]:
    """The graph's outputs from the accelerator's answers, int8 [N, ...]: the host's part."""
    name = answer_of(graph)
    values = answers.reshape(len(answers), *graph.tensors[name].shape[1:])
    for node in graph.nodes[len(accelerated(graph)) :]:
        values = KERNELS[node.kind](graph, node, [values])
    return values
