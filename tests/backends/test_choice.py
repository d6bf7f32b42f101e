"""Which layers run row by row: enough for the RAM that there is, and no more than that costs."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.arrangement import arrange
from edgeflow.backends.firmware.choice import choose_segments, trade_offs
from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.kernel_set import library
from edgeflow.backends.firmware.options import RowExecution
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.exchange.tflite import read
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Elementwise, Graph, OpKind
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.segments import CHANNELS, SIDE, UNIT, convolution
from tests.graph.builder import GraphBuilder
from tests.shared_data import shared_file


def _arena(graph: Graph, kernel_set: KernelSet, segments: tuple) -> int:
    memory = arrange(graph, library(kernel_set), segments).memory
    assert memory.lower_bound_bytes <= memory.arena_bytes
    return memory.arena_bytes


@pytest.mark.parametrize("kernel_set", [KernelSet.PORTABLE_C, KernelSet.DSP_C])
@pytest.mark.parametrize("seed", range(500, 505))
def test_more_effort_never_needs_more_ram(kernel_set, seed):
    graph = ordinary_network(seed, layers=8)
    arenas = [
        _arena(graph, kernel_set, choose_segments(graph, kernel_set, rows))
        for rows in (RowExecution.NEVER, RowExecution.AUTO, RowExecution.LEAST_RAM)
    ]
    assert arenas == sorted(arenas, reverse=True)


def test_blocks_of_equal_need_are_all_covered():
    """One of them whole would set the peak, whatever the others need."""
    builder = GraphBuilder()
    x = builder.input((1, SIDE, SIDE, CHANNELS), UNIT)
    for _ in range(5):
        y = convolution(builder, convolution(builder, x))
        x = builder.node(OpKind.ADD, [y, x], Elementwise(), UNIT)
    graph = builder.build([x.name])
    tensor = SIDE * SIDE * CHANNELS
    assert _arena(graph, KernelSet.PORTABLE_C, ()) >= 2 * tensor
    found = choose_segments(graph, KernelSet.PORTABLE_C, RowExecution.LEAST_RAM)
    assert _arena(graph, KernelSet.PORTABLE_C, found) < 1.6 * tensor


def test_trade_offs_need_less_and_less_ram():
    arenas = [_arena(_resnet(), KernelSet.DSP_C, s) for s in trade_offs(_resnet(), KernelSet.DSP_C)]
    assert len(arenas) > 2
    assert arenas == sorted(set(arenas), reverse=True)


def _resnet() -> Graph:
    return canonicalize(read(shared_file("ic_resnet8_int8.tflite").read_bytes()))


def test_never_leaves_every_layer_whole():
    assert choose_segments(_resnet(), KernelSet.DSP_C, RowExecution.NEVER, 0) == ()


def test_a_limit_that_is_met_changes_nothing():
    graph = _resnet()
    free = choose_segments(graph, KernelSet.DSP_C, RowExecution.AUTO)
    assert choose_segments(graph, KernelSet.DSP_C, RowExecution.AUTO, 100_000) == free


def test_a_limit_beyond_reach_gives_the_least_that_was_found():
    graph = _resnet()
    least = choose_segments(graph, KernelSet.DSP_C, RowExecution.LEAST_RAM)
    found = choose_segments(graph, KernelSet.DSP_C, RowExecution.AUTO, 1000)
    assert _arena(graph, KernelSet.DSP_C, found) == _arena(graph, KernelSet.DSP_C, least)


# Arena and stack, and instructions, of one inference on a Cortex-M4 with default options. The
# yardstick needs 56,328 bytes and 29.9 million instructions, and 24,152 bytes and 7.7 million.
@pytest.mark.parametrize(
    ("name", "ram_bytes", "instructions"),
    [
        ("ic_resnet8_int8", 18_200, 13_200_000),
        ("kws_dscnn_int8", 8_700, 3_400_000),
        ("vww_mobilenet_int8", 28_500, 10_500_000),
        ("sww_int8", 4_100, 990_000),
    ],
)
def test_ram_and_instructions_of_mlperf_tiny_models(name, ram_bytes, instructions):
    graph = canonicalize(read(shared_file(f"{name}.tflite").read_bytes()))
    target = load("cortex-m4")
    kernel_set = target.firmware.kernel_set
    segments = choose_segments(graph, kernel_set, RowExecution.AUTO)
    source = generate(graph, kernel_set, segments)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(2).integers(-128, 128, size=(1, *shape), dtype=np.int8)
    run = device_for(target).run(build_image(source, target), x, RunLimits())
    assert np.array_equal(run.outputs.reshape(-1), run_batch(graph, x).reshape(-1))
    assert run.stack_bytes is not None
    assert source.arena_bytes + run.stack_bytes <= ram_bytes
    assert run.instructions[0] <= instructions


def test_running_row_by_row_adds_few_instructions_to_each_layer():
    """Instructions of a layer count for it, those between the rows for `edgeflow_invoke`."""
    graph, target = _resnet(), load("cortex-m4")
    kernel_set = target.firmware.kernel_set
    x = np.zeros((1, 32, 32, 3), np.int8)
    counts = []
    for rows in (RowExecution.NEVER, RowExecution.LEAST_RAM):
        source = generate(graph, kernel_set, choose_segments(graph, kernel_set, rows))
        run = device_for(target).run(build_image(source, target), x, RunLimits())
        assert run.instructions[0] == sum(layer.instructions[0] for layer in run.layers)
        counts.append({layer.node_name: int(layer.instructions[0]) for layer in run.layers})
    whole, by_rows = counts
    assert whole.keys() == by_rows.keys()
    for name in whole.keys() - {""}:
        assert by_rows[name] <= 1.03 * whole[name], name
    assert by_rows[""] < 0.005 * sum(whole.values())
