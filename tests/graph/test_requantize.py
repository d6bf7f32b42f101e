from __future__ import annotations

import numpy as np
import pytest

from edgeflow.errors import GraphError
from edgeflow.graph.ir import (
    Activation,
    Elementwise,
    Graph,
    Mean,
    NoAttributes,
    Node,
    OpKind,
    Pool2D,
    Quantization,
    Softmax,
    Window,
)
from edgeflow.graph.requantization import MeanRequantization, OutputRange
from edgeflow.graph.requantize import (
    add_requantization,
    logistic_table,
    mean_requantization,
    pool_range,
    relu_rescaling,
    softmax_scaling,
)
from tests.graph.builder import GraphBuilder


def one_input(
    kind: OpKind, attributes: object, x: Quantization, output: Quantization
) -> tuple[Graph, Node]:
    b = GraphBuilder()
    tensor = b.input((1, 3, 1, 4), x)
    result = b.node(kind, [tensor], attributes, output)  # type: ignore[arg-type]
    graph = b.build([result.name])
    return graph, graph.nodes[0]


def q(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization((scale,), (zero_point,))


def test_mean_puts_the_count_into_the_multiplier_and_drops_the_remainder() -> None:
    graph, node = one_input(OpKind.MEAN, Mean((1,)), q(0.5, 3), q(1.0, -4))
    assert mean_requantization(graph, node) == MeanRequantization(
        input_zero_point=3,
        count=3,
        multiplier=2**31 // 3,
        shift=-1,
        output_zero_point=-4,
        range=OutputRange(-128, 127),
    )


def test_mean_never_shifts_right_beyond_31_bits() -> None:
    graph, node = one_input(OpKind.MEAN, Mean((1, 3)), q(2.0**-31), q(1.0))
    constants = mean_requantization(graph, node)
    assert constants.shift >= -31


def test_add_needs_an_output_scale_that_is_not_far_below_the_inputs() -> None:
    b = GraphBuilder()
    x, y = b.input((1, 4), q(1.0)), b.input((1, 4), q(0.5))
    fine = b.node(OpKind.ADD, [x, y], Elementwise(), q(2.0**-18))
    far_off = b.node(OpKind.ADD, [x, y], Elementwise(), q(2.0**-19))
    graph = b.build([fine.name, far_off.name])
    assert add_requantization(graph, graph.nodes[0]).output_shift == 0
    with pytest.raises(GraphError, match="output scale"):
        add_requantization(graph, graph.nodes[1])


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (Activation.NONE, OutputRange(-128, 127)),
        (Activation.RELU, OutputRange(-28, 127)),
        (Activation.RELU6, OutputRange(-28, 32)),
    ],
)
def test_activation_narrows_the_output_range(activation: Activation, expected: OutputRange) -> None:
    attributes = Pool2D(1, 1, Window(), activation)
    graph, node = one_input(OpKind.MAX_POOL_2D, attributes, q(0.1, -28), q(0.1, -28))
    assert pool_range(graph, node) == expected


def test_relu6_whose_six_does_not_fit_32_bits_is_refused() -> None:
    graph, node = one_input(OpKind.RELU6, NoAttributes(), q(1e-9), q(1e-9))
    with pytest.raises(GraphError, match="RELU6"):
        relu_rescaling(graph, node)


def test_softmax_ignores_differences_beyond_31_units() -> None:
    graph, node = one_input(OpKind.SOFTMAX, Softmax(), q(0.25), q(1 / 256, -128))
    scaling = softmax_scaling(graph, node)
    assert scaling.multiplier * 2.0 ** (scaling.left_shift - 31) == 0.25 * 2**26
    assert scaling.difference_minimum == -62  # 31 units at a multiplier that counts as 1/2


def test_softmax_of_a_scale_below_its_resolution_is_refused() -> None:
    graph, node = one_input(OpKind.SOFTMAX, Softmax(), q(2.0**-26), q(1 / 256, -128))
    with pytest.raises(GraphError, match="SOFTMAX"):
        softmax_scaling(graph, node)


def test_logistic_table_is_the_sigmoid_rounded() -> None:
    graph, node = one_input(OpKind.LOGISTIC, NoAttributes(), q(0.05, 10), q(1 / 256, -128))
    real = 0.05 * (np.arange(-128, 128) - 10)
    expected = np.clip(np.round(256 / (1 + np.exp(-real))) - 128, -128, 127)
    table = np.array(logistic_table(graph, node).outputs)
    assert len(table) == 256
    assert np.abs(table - expected).max() <= 1
    assert table[10 + 128] == 0
