"""Each rule of the checker, broken one at a time in an otherwise legal graph."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from edgeflow.errors import GraphError
from edgeflow.graph.checker import check
from edgeflow.graph.ir import (
    Concatenation,
    Conv2D,
    DType,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    NoAttributes,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
    Window,
)
from tests.graph.builder import GraphBuilder
from tests.graph.strategies import Dialect, graphs

X = Quantization((0.5,), (3,))
W = Quantization((0.25,), (0,))
B = Quantization((0.125,), (0,))
PROBABILITY = Quantization((1 / 256,), (-128,))


def conv_graph(window: Window | None = None) -> Graph:
    b = GraphBuilder()
    x = b.input((1, 5, 5, 2), X)
    w = b.constant(np.ones((3, 3, 3, 2), np.int8), W)
    bias = b.constant(np.zeros(3, np.int32), B)
    y = b.node(OpKind.CONV_2D, [x, w, bias], Conv2D(window or Window()), X)
    return b.build([y.name])


def chain() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 8), X)
    y = b.node(OpKind.RELU, [x], NoAttributes(), X)
    z = b.node(OpKind.RESHAPE, [y], NoAttributes(), X, (1, 2, 4))
    return b.build([z.name])


def with_tensor(graph: Graph, tensor: str, **changes: object) -> Graph:
    changed = replace(graph.tensors[tensor], **changes)  # type: ignore[arg-type]
    return replace(graph, tensors={**graph.tensors, tensor: changed})


def with_node(graph: Graph, index: int, **changes: object) -> Graph:
    nodes = list(graph.nodes)
    nodes[index] = replace(nodes[index], **changes)  # type: ignore[arg-type]
    return replace(graph, nodes=tuple(nodes))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(max_nodes=8, max_inputs=2, max_outputs=2, dialect=Dialect.EDGEFLOW))
def test_drawn_graphs_are_legal(graph: Graph) -> None:
    check(graph)


def test_legal_graphs_pass() -> None:
    check(conv_graph())
    check(chain())


def conv_weights(graph: Graph) -> str:
    return graph.nodes[0].inputs[1]


def conv_bias(graph: Graph) -> str:
    return graph.nodes[0].inputs[2]


def output_of(graph: Graph) -> str:
    return graph.outputs[0]


def per_channel(scales: tuple[float, ...], axis: int) -> Quantization:
    return Quantization(scales, (0,) * len(scales), axis)


BROKEN: dict[str, tuple[Callable[[], Graph], str]] = {
    "tensor under another name": (
        lambda: with_tensor(chain(), "input0", name="other"),
        "calls itself 'other'",
    ),
    "rank above four": (
        lambda: with_tensor(chain(), "reshape1_output", shape=(1, 2, 2, 2, 1)),
        "shape",
    ),
    "dimension of zero": (lambda: with_tensor(chain(), "input0", shape=(1, 0)), "shape"),
    "batch above one": (lambda: with_tensor(chain(), "input0", shape=(2, 8)), "shape"),
    "too many elements": (
        lambda: with_tensor(chain(), "input0", shape=(1, 2**16, 2**16)),
        "elements",
    ),
    "no quantization": (lambda: with_tensor(chain(), "input0", quantization=None), "quantization"),
    "scale of zero": (
        lambda: with_tensor(chain(), "input0", quantization=Quantization((0.0,), (0,))),
        "scale",
    ),
    "infinite scale": (
        lambda: with_tensor(chain(), "input0", quantization=Quantization((float("inf"),), (0,))),
        "scale",
    ),
    "scale that is no float32": (
        lambda: with_tensor(chain(), "input0", quantization=Quantization((0.1,), (0,))),
        "scale 0.1",
    ),
    "zero point beyond int8": (
        lambda: with_tensor(chain(), "input0", quantization=Quantization((0.5,), (128,))),
        "zero point 128",
    ),
    "scales that do not match the axis": (
        lambda: with_tensor(conv_graph(), "constant1", quantization=per_channel((0.25, 0.25), 0)),
        "2 scales",
    ),
    "quantization axis out of range": (
        lambda: with_tensor(conv_graph(), "constant1", quantization=per_channel((0.25,), 4)),
        "axis 4",
    ),
    "per-channel activation": (
        lambda: with_tensor(chain(), "input0", quantization=per_channel((0.5,) * 8, 1)),
        "per channel",
    ),
    "int32 activation": (lambda: with_tensor(chain(), "input0", dtype=DType.INT32), "int32"),
    "data of another shape": (
        lambda: with_tensor(conv_graph(), "constant1", data=np.ones((3, 3, 3, 1), np.int8)),
        "data",
    ),
    "data of another type": (
        lambda: with_tensor(conv_graph(), "constant1", data=np.ones((3, 3, 3, 2), np.int32)),
        "data",
    ),
    "data wider than its bits": (
        lambda: with_tensor(
            conv_graph(), "constant1", data=np.full((3, 3, 3, 2), 8, np.int8), bits=4
        ),
        "in 4 bits",
    ),
    "activation that is narrower": (lambda: with_tensor(chain(), "input0", bits=4), "of 4 bits"),
    "no outputs": (lambda: replace(chain(), outputs=()), "no input or no output"),
    "input that is unknown": (lambda: replace(chain(), inputs=("nowhere",)), "'nowhere'"),
    "output that is an input": (lambda: replace(chain(), outputs=("input0",)), "'input0'"),
    "output listed twice": (
        lambda: replace(chain(), outputs=("reshape1_output",) * 2),
        "repeat",
    ),
    "node name taken": (lambda: with_node(chain(), 1, name="relu0"), "'relu0'"),
    "nodes out of order": (
        lambda: replace(chain(), nodes=tuple(reversed(chain().nodes))),
        "before any node has written it",
    ),
    "unknown tensor": (lambda: with_node(chain(), 0, inputs=("ghost",)), "'ghost'"),
    "tensor written twice": (
        lambda: with_node(chain(), 1, outputs=("relu0_output",)),
        "written already",
    ),
    "input written": (lambda: with_node(chain(), 0, outputs=("input0",)), "written already"),
    "attributes of another operator": (
        lambda: with_node(chain(), 0, attributes=Softmax()),
        "Softmax",
    ),
    "operand missing": (
        lambda: with_node(conv_graph(), 0, inputs=("input0", "constant1")),
        "reads",
    ),
    "two outputs": (
        lambda: with_node(chain(), 1, outputs=("reshape1_output", "relu0_output")),
        "written already|2 outputs",
    ),
    "shape that does not follow": (
        lambda: with_tensor(conv_graph(), "conv_2d0_output", shape=(1, 3, 3, 4)),
        r"\[1, 3, 3, 3\]",
    ),
    "asymmetric weights": (
        lambda: with_tensor(conv_graph(), "constant1", quantization=Quantization((0.25,), (1,))),
        "zero points",
    ),
    "weights quantized along the input": (
        lambda: with_tensor(conv_graph(), "constant1", quantization=per_channel((0.25, 0.25), 3)),
        "axes",
    ),
    "bias in another scale": (
        lambda: with_tensor(conv_graph(), "constant2", quantization=Quantization((0.25,), (0,))),
        "bias scale",
    ),
    "bias with other channels": (
        lambda: with_tensor(conv_graph(), "constant1", quantization=per_channel((0.25,) * 3, 0)),
        "3 weight scales and 1 bias",
    ),
    "reshape that rescales": (
        lambda: with_tensor(chain(), "reshape1_output", quantization=Quantization((0.25,), (3,))),
        "does not rescale|scale 0.5",
    ),
    "accumulator beyond int32": (
        lambda: with_tensor(conv_graph(), "constant2", data=np.array([2**31 - 1, 0, 0], np.int32)),
        "overflows int32",
    ),
    "left shift beyond int32": (
        lambda: with_tensor(
            conv_graph(), "conv_2d0_output", quantization=Quantization((2.0**-24,), (0,))
        ),
        "overflows int32",
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_broken_rule_is_named_with_a_hint(rule: str) -> None:
    make, message = BROKEN[rule]
    with pytest.raises(GraphError, match=message) as caught:
        check(make())
    assert caught.value.hint


def built(kind: OpKind, shape: tuple[int, ...], attributes: object, output: Quantization) -> Graph:
    b = GraphBuilder()
    x = b.input(shape, X)
    y = b.node(kind, [x], attributes, output)  # type: ignore[arg-type]
    return b.build([y.name])


ILLEGAL_ATTRIBUTES: dict[str, Callable[[], Graph]] = {
    "stride of zero": lambda: conv_graph(Window(stride_h=0)),
    "negative padding": lambda: conv_graph(Window(pad_left=-1)),
    "kernel larger than the image": lambda: conv_graph(Window(dilation_h=3)),
    "dilated pooling": lambda: built(
        OpKind.MAX_POOL_2D, (1, 5, 5, 2), Pool2D(2, 2, Window(dilation_h=2)), X
    ),
    "pooling of padding alone": lambda: built(
        OpKind.AVERAGE_POOL_2D, (1, 5, 5, 2), Pool2D(2, 2, Window(pad_top=2)), X
    ),
    "mean over the batch": lambda: built(OpKind.MEAN, (1, 4, 4), Mean((0, 1)), X),
    "mean over nothing": lambda: built(OpKind.MEAN, (1, 4, 4), Mean(()), X),
    "mean over an axis twice": lambda: built(OpKind.MEAN, (1, 4, 4), Mean((1, 1)), X),
    "padded batch": lambda: built(OpKind.PAD, (1, 4), Pad(((1, 0), (0, 0))), X),
    "cropping": lambda: built(OpKind.PAD, (1, 4), Pad(((0, 0), (-1, 0))), X),
    "pads of another rank": lambda: built(OpKind.PAD, (1, 4), Pad(((0, 0),)), X),
    "concatenation along the batch": lambda: built(
        OpKind.CONCATENATION, (1, 4), Concatenation(0), X
    ),
    "softmax over too many entries": lambda: built(
        OpKind.SOFTMAX, (1, 512), Softmax(), PROBABILITY
    ),
    "softmax with a negative beta": lambda: built(
        OpKind.SOFTMAX, (1, 5), Softmax(-1.0), PROBABILITY
    ),
    "softmax in another scale": lambda: built(OpKind.SOFTMAX, (1, 5), Softmax(), X),
    "logistic in another scale": lambda: built(OpKind.LOGISTIC, (1, 5), NoAttributes(), X),
    "pooling that rescales": lambda: built(
        OpKind.MAX_POOL_2D, (1, 5, 5, 2), Pool2D(2, 2, Window()), PROBABILITY
    ),
}


@pytest.mark.parametrize("case", ILLEGAL_ATTRIBUTES)
def test_illegal_attribute_is_refused(case: str) -> None:
    with pytest.raises(GraphError):
        check(ILLEGAL_ATTRIBUTES[case]())


def two_inputs(first: Tensor | tuple[int, ...], second: tuple[int, ...]) -> Graph:
    b = GraphBuilder()
    x, y = b.input(first, X), b.input(second, X)  # type: ignore[arg-type]
    return b.build([b.node(OpKind.ADD, [x, y], Elementwise(), X).name])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 4, 4, 2), (1, 1, 1, 2)),
        ((1, 1, 1, 1), (1, 4, 4, 2)),
        ((1, 6), (1, 6)),
        ((1, 6), (1, 1)),
    ],
)
def test_operands_broadcast_one_element_or_per_channel(
    first: tuple[int, ...], second: tuple[int, ...]
) -> None:
    check(two_inputs(first, second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 4, 4, 2), (1, 4, 1, 2)),
        ((1, 6), (1, 3)),
        ((1, 1, 1, 2), (1, 4, 4, 1)),
        ((1, 6), (1, 1, 1)),
    ],
)
def test_other_broadcasts_are_refused(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    with pytest.raises(GraphError, match="inputs of shapes"):
        two_inputs(first, second)


def test_two_constants_are_no_addition() -> None:
    b = GraphBuilder()
    b.input((1, 2), X)
    one, two = (b.constant(np.ones((1, 2), np.int8), X) for _ in range(2))
    y = b.node(OpKind.ADD, [one, two], Elementwise(), X)
    graph = replace(b.build([y.name]), inputs=("input0",), tensors=b.tensors)
    with pytest.raises(GraphError, match=r"constant int8.*constant int8"):
        check(graph)


def test_dense_layer_takes_two_dimensions() -> None:
    b = GraphBuilder()
    x = b.input((1, 2, 2), X)
    w = b.constant(np.ones((3, 4), np.int8), W)
    bias = b.constant(np.zeros(3, np.int32), B)
    with pytest.raises(GraphError, match=r"weights \[3, 4\] on input"):
        b.node(OpKind.FULLY_CONNECTED, [x, w, bias], FullyConnected(), X)


EXTREME_SCALES = [
    float(scale)
    for scale in (1e300, 1e-300, np.nan, np.inf, -1.0, np.float32(1e-45), np.float32(3e38), 1.0)
]


@pytest.mark.parametrize("output_scale", EXTREME_SCALES)
@pytest.mark.parametrize("input_scale", EXTREME_SCALES)
@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        (OpKind.RELU6, NoAttributes()),
        (OpKind.QUANTIZE, NoAttributes()),
        (OpKind.MEAN, Mean((1,), keep_dims=True)),
        (OpKind.SOFTMAX, Softmax()),
        (OpKind.ADD, Elementwise()),
        (OpKind.MUL, Elementwise()),
    ],
)
def test_any_scale_is_either_legal_or_a_graph_error(
    kind: OpKind, attributes: object, input_scale: float, output_scale: float
) -> None:
    b = GraphBuilder()
    x = b.input((1, 4), Quantization((input_scale,), (0,)))
    operands = [x, x] if kind in (OpKind.ADD, OpKind.MUL) else [x]
    y = b.node(kind, operands, attributes, Quantization((output_scale,), (0,)))  # type: ignore[arg-type]
    # Any other exception, or a warning, fails the test.
    with contextlib.suppress(GraphError):
        check(b.build([y.name]))
