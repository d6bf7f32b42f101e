"""Segments: which rows stay, where outputs may overwrite inputs, and what is never whole."""

from __future__ import annotations

import pytest

from edgeflow.backends.firmware.arrangement import arrange
from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.kernel_set import library
from edgeflow.backends.firmware.rows import bands, row_window
from edgeflow.backends.firmware.segment import Segment, can_run_by_rows, plan_segment
from edgeflow.graph.ir import (
    Elementwise,
    Graph,
    NoAttributes,
    OpKind,
)
from edgeflow.targets.schema import KernelSet
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.segments import (
    CHANNELS,
    SIDE,
    UNIT,
    convolution,
    drawn_segments,
    residual_block,
)
from tests.graph.builder import GraphBuilder

_ROW = SIDE * CHANNELS


def _outputs(graph: Graph) -> list[str]:
    return [node.outputs[0] for node in graph.nodes]


def test_an_addition_takes_rows_of_the_convolution_before_it_and_writes_over_the_other_operand():
    graph = residual_block()
    first, _, third, total = _outputs(graph)
    found = plan_segment(graph, Segment(2, 3, 1))
    assert {name: buffer.size_bytes for name, buffer in found.buffers.items()} == {third: _ROW}
    assert found.outputs == (total,)
    distances = {overlap.input: overlap.distance_bytes for overlap in found.overlaps}
    assert distances[first] == 0


def test_a_folded_addition_needs_no_tensor_for_theconvolution():
    graph = residual_block()
    whole = arrange(graph, library(KernelSet.PORTABLE_C)).memory
    folded = arrange(graph, library(KernelSet.PORTABLE_C), [Segment(2, 3, 1)]).memory
    third = _outputs(graph)[2]
    assert third in whole.offset_bytes
    assert third not in folded.offset_bytes
    assert folded.offset_bytes[_outputs(graph)[3]] == folded.offset_bytes[_outputs(graph)[0]]


def test_between_convolutions_stay_the_rows_of_a_window():
    graph = residual_block()
    _, second, third, total = _outputs(graph)
    found = plan_segment(graph, Segment(1, 3, 1))
    assert {name: buffer.capacity for name, buffer in found.buffers.items()} == {
        second: 3,
        third: 1,
    }
    assert [o.distance_bytes for o in found.overlaps if o.output == total] == [0]


def test_an_operand_that_lives_on_is_not_overwritten_and_needs_no_row_of_its_own():
    """Within the segment the rows of the convolution lie where those of the sum will."""
    graph = residual_block()
    first, second, third, total = _outputs(graph)
    found = plan_segment(graph, Segment(0, 3, 1))
    assert found.home[third] == total
    # Row y of the sum runs as soon as row y + 2 of `first` is there; it reads row y.
    assert {name: b.capacity for name, b in found.buffers.items()} == {first: 3, second: 3}


def test_rows_are_made_once_and_in_order():
    graph = residual_block()
    for rows in (1, 2, 3, 5):
        found = plan_segment(graph, Segment(0, 3, rows))
        for index in range(4):
            made = [(call.first, call.rows) for call in found.calls if call.layer == index]
            ends = [first + count for first, count in made]
            assert [first for first, _ in made] == [0, *ends[:-1]]
            assert ends[-1] == SIDE


def test_a_layer_that_reads_a_whole_tensor_waits_for_its_reader():
    """Else the convolution beside the skip connection would run to its end first."""
    builder = GraphBuilder()
    x = builder.input((1, SIDE, SIDE, CHANNELS), UNIT)
    deep = convolution(builder, convolution(builder, x))
    beside = convolution(builder, x)
    y = builder.node(OpKind.ADD, [deep, beside], Elementwise(), UNIT)
    graph = builder.build([y.name])
    found = plan_segment(graph, Segment(0, 3, 1))
    assert max(buffer.capacity for buffer in found.buffers.values()) == 3


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(20))
def test_bands_cover_the_windows_of_their_rows(seed, rows):
    graph = ordinary_network(seed)
    for node in graph.nodes:
        window = row_window(graph, node)
        if window is None:
            continue
        given = graph.tensors[node.inputs[0]].shape[1]
        made = 0
        for band in bands(graph, node, rows):
            assert band.first == made
            made += band.rows
            top = band.first * window.stride - window.pad
            end = (made - 1) * window.stride - window.pad + window.extent
            assert band.input_first == top + band.pad_top == max(top, 0)
            assert band.input_first + band.input_rows == end - band.pad_bottom == min(end, given)
            assert band.input_rows > 0
        assert made == graph.tensors[node.outputs[0]].shape[1]


def test_layers_that_need_their_whole_input_do_not_run_by_rows():
    builder = GraphBuilder()
    x = builder.input((1, SIDE, SIDE, CHANNELS), UNIT)
    flat = builder.node(
        OpKind.RESHAPE, [x], NoAttributes(), UNIT, shape=(1, SIDE * SIDE * CHANNELS)
    )
    graph = builder.build([flat.name])
    assert not can_run_by_rows(graph, Segment(0, 0, 1))


def test_a_layer_is_called_once_for_each_band_and_says_where_its_rows_are():
    graph = residual_block()
    layers = generate(graph, KernelSet.PORTABLE_C, [Segment(0, 3, 5)]).layers
    assert [layer.calls for layer in layers] == [3, 3, 3, 3]
    second = layers[1]
    assert second.size_bytes < SIDE * _ROW
    assert second.size_bytes % _ROW == 0


def test_the_same_segments_give_the_same_text():
    for seed in range(5):
        graph = ordinary_network(seed, layers=7)
        segments = drawn_segments(graph, seed)
        first = generate(graph, KernelSet.DSP_C, segments)
        assert dict(generate(graph, KernelSet.DSP_C, segments).files) == dict(first.files)
