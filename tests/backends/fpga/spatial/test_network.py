"""Networks in space: every answer the interpreter's, at every pace, and none that cannot fit."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reference_networks import dense_digits
from edgeflow.backends.fpga.spatial.arrangement import Arrangement, size
from edgeflow.backends.fpga.spatial.cost import Cost, cost_of, require_fit, require_room
from edgeflow.backends.fpga.spatial.flow import Sum, evaluate
from edgeflow.backends.fpga.spatial.network import arrange, spatial_layers
from edgeflow.backends.fpga.spatial.verilog import spatial_design
from edgeflow.devices.verilator import lint, simulate, stream
from edgeflow.errors import DoesNotFitError
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.fixed_point import Int64Array
from edgeflow.graph.interpreter import trace
from edgeflow.graph.ir import Graph, OpKind, Quantization, Tensor
from edgeflow.targets.registry import load
from tests.backends.fpga.presence import needs_verilator
from tests.backends.fpga.test_accelerator import _layer
from tests.backends.ordinary_networks import ordinary_network
from tests.graph.builder import GraphBuilder

pytest.importorskip("da4ml")
_simulated = needs_verilator[1]
# Their operators: tables, pooling, means, depthwise and strided convolutions, sums of branches.
SEEDS = (1, 2, 6, 10, 18, 21)


def _arranged(graph: Graph, adders: int = 3) -> Arrangement:
    layers, features = spatial_layers(graph)
    return arrange(graph, layers, features, adders, lambda _: None)


def _answers(arrangement: Arrangement, x: Int64Array) -> Int64Array:
    """What the places compute of inputs [N, bytes], in numpy."""
    form = arrangement.forms[arrangement.given]
    tensors = {arrangement.given: x.T - form.zero}
    for part in arrangement.parts:
        count = size(arrangement.features[part.layer.output])
        result = np.zeros((count, len(x)), np.int64)
        for place in part.places:
            rows = [
                np.full(len(x), part.padding)
                if element.index is None
                else tensors[element.tensor][element.index]
                for element in place.inputs
            ]
            found = evaluate(part.kernel.values, np.stack(rows))
            for offset, number in enumerate(part.kernel.outputs):
                result[place.first + offset] = found[number]
        tensors[part.layer.output] = result
    return (tensors[arrangement.answer] + arrangement.forms[arrangement.answer].zero).T


def _inputs(graph: Graph, rows: int) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(1).integers(-128, 128, (rows, *shape[1:]), dtype=np.int8)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_compute_what_the_interpreter_does(seed: int) -> None:
    graph = canonicalize(ordinary_network(seed))
    arrangement = _arranged(graph)
    x = _inputs(graph, 4)
    expected = trace(graph, {graph.inputs[0]: x})[arrangement.answer].reshape(4, -1)
    assert np.array_equal(_answers(arrangement, x.reshape(4, -1).astype(np.int64)), expected)


def _small() -> Graph:
    """A 3x3 convolution with padding and a dense layer, over 5x4 pixels of two channels."""
    builder = GraphBuilder()
    rng = np.random.default_rng(5)
    x: Tensor = builder.input((1, 5, 4, 2), Quantization((0.0625,), (7,)))
    x = _layer(builder, x, OpKind.CONV_2D, rng.integers(-8, 8, (3, 3, 3, 2)))
    return builder.build([x.name])


@pytest.mark.fpga
@_simulated
def test_verilog_is_exact_to_the_bit_and_the_cycle_and_takes_an_input_every_cycle() -> None:
    graph = _small()
    arrangement = _arranged(graph, 2)
    design = spatial_design(arrangement)
    x = _inputs(graph, 25)
    expected = trace(graph, {graph.inputs[0]: x})[arrangement.answer].reshape(25, -1)
    found = simulate(design, x)
    assert np.array_equal(found.answers, expected)
    assert (found.cycles == design.cycles).all()
    assert np.array_equal(stream(design, x), expected)


@pytest.mark.fpga
@_simulated
def test_verilog_of_tables_and_branches_is_exact_and_clean() -> None:
    graph = canonicalize(ordinary_network(10))
    arrangement = _arranged(graph)
    design = spatial_design(arrangement)
    lint(design)
    x = _inputs(graph, 3)
    expected = trace(graph, {graph.inputs[0]: x})[arrangement.answer].reshape(3, -1)
    assert np.array_equal(stream(design, x), expected)


def test_more_adders_in_a_cycle_are_fewer_cycles_and_registers() -> None:
    graph = _small()
    cycles = [_arranged(graph, adders).cycles for adders in (1, 2, 4)]
    assert cycles == sorted(cycles, reverse=True)
    assert len(set(cycles)) == 3
    costs = [cost_of(_arranged(graph, adders), 5) for adders in (1, 2, 4)]
    assert costs[0].flip_flops > costs[1].flip_flops > costs[2].flip_flops
    assert len({cost.luts for cost in costs}) == 1


def test_pruned_weights_cost_nothing() -> None:
    def adders(kept: float) -> int:
        builder = GraphBuilder()
        rng = np.random.default_rng(2)
        weights = rng.integers(-127, 128, (8, 32))
        weights[rng.random(weights.shape) > kept] = 0
        x = builder.input((1, 32), Quantization((0.0625,), (-128,)))
        x = _layer(builder, x, OpKind.FULLY_CONNECTED, weights)
        values = _arranged(builder.build([x.name])).parts[0].kernel.values
        return sum(isinstance(value.operation, Sum) for value in values)

    assert adders(0.25) < 0.5 * adders(1.0)


def test_what_cannot_fit_is_refused_with_figures_before_synthesis() -> None:
    part = load("ice40-up5k").fpga
    assert part is not None
    with pytest.raises(DoesNotFitError, match=r"5,281 LUTs and 10 flip-flops \(estimated\)"):
        require_fit(Cost(5281, 10), part)
    require_fit(Cost(5280, 10), part)
    layers, features = spatial_layers(_small())
    with pytest.raises(DoesNotFitError, match="signed digits in all places"):
        require_room(layers, features, part.model_copy(update={"luts": 1000}))


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_of_every_width_are_exact(bits: int) -> None:
    graph = dense_digits(bits)
    arrangement = _arranged(graph)
    x = _inputs(graph, 6)
    expected = trace(graph, {graph.inputs[0]: x})[arrangement.answer].reshape(6, -1)
    assert np.array_equal(_answers(arrangement, x.reshape(6, -1).astype(np.int64)), expected)


def test_narrower_weights_take_less_logic() -> None:
    luts = [cost_of(_arranged(dense_digits(bits)), 5).luts for bits in (2, 4, 8)]
    assert 2 * luts[0] < luts[1] < 0.6 * luts[2]
