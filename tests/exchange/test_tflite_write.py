from __future__ import annotations

import numpy as np
import pytest
import tflite

from edgeflow.errors import GraphError
from edgeflow.exchange.tflite import read, write
from edgeflow.graph.interpreter import run
from edgeflow.graph.ir import Conv2D, Elementwise, Graph, Node, OpKind, Pool2D, Window
from tests.exchange.tflite_graphs import GraphBuilder, every_operator, run_litert, with_tensor


def random_inputs(graph: Graph, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = [graph.tensors[name].shape for name in graph.inputs]
    return [random.integers(-128, 128, shape).astype(np.int8) for shape in shapes]


@pytest.mark.parametrize("reference", [True, False], ids=["reference kernels", "default kernels"])
def test_litert_runs_every_operator_that_we_write(reference: bool) -> None:
    graph = every_operator()
    outputs = run_litert(write(graph), random_inputs(graph), reference)
    assert [o.shape for o in outputs] == [graph.tensors[name].shape for name in graph.outputs]
    assert all(len(np.unique(o)) > 2 for o in outputs)


def test_equal_graphs_give_equal_bytes() -> None:
    assert write(every_operator(3)) == write(every_operator(3))
    assert write(every_operator(3)) != write(every_operator(4))


def test_tensor_order_does_not_depend_on_the_mapping() -> None:
    graph = every_operator()
    turned = dict(reversed(list(graph.tensors.items())))
    shuffled = Graph(graph.name, turned, graph.nodes, graph.inputs, graph.outputs)
    assert write(shuffled) == write(graph)


def test_file_follows_what_old_runtimes_expect() -> None:
    data = write(every_operator())
    assert data[4:8] == b"TFL3"
    model = tflite.Model.GetRootAs(data)
    assert model.Version() == 3
    assert model.Buffers(0).DataLength() == 0
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        assert code.BuiltinCode() == code.DeprecatedBuiltinCode() < 127
    versions = {
        model.OperatorCodes(i).BuiltinCode(): model.OperatorCodes(i).Version()
        for i in range(model.OperatorCodesLength())
    }
    assert versions[tflite.BuiltinOperator.CONV_2D] == 3
    assert versions[tflite.BuiltinOperator.FULLY_CONNECTED] == 4
    assert versions[tflite.BuiltinOperator.QUANTIZE] == 1


def test_constants_are_aligned_to_16_bytes() -> None:
    data = write(every_operator())
    whole = np.frombuffer(data, np.uint8)
    model = tflite.Model.GetRootAs(data)
    for i in range(1, model.BuffersLength()):
        view = model.Buffers(i).DataAsNumpy()
        offset = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        assert offset % 16 == 0


def test_names_and_per_channel_parameters_are_kept() -> None:
    graph = every_operator()
    subgraph = tflite.Model.GetRootAs(write(graph)).Subgraphs(0)
    by_name = {
        subgraph.Tensors(i).Name().decode(): subgraph.Tensors(i)
        for i in range(subgraph.TensorsLength())
    }
    assert set(graph.tensors) <= set(by_name)
    assert subgraph.Name() == b"every_operator"
    quantization = by_name["depthwise/weights"].Quantization()
    assert quantization.QuantizedDimension() == 3
    wanted = graph.tensors["depthwise/weights"].quantization
    assert wanted is not None
    assert quantization.ScaleAsNumpy().tolist() == list(wanted.scales)


def test_paddings_that_are_neither_same_nor_valid_become_a_pad() -> None:
    b = GraphBuilder()
    x = b.activation("x", (1, 5, 5, 2))
    window = Window(pad_top=2, pad_bottom=0, pad_left=1, pad_right=3)
    y = b.conv(x, "y", 3, (3, 3), Conv2D(window))
    graph = b.graph((x,), (y,))
    data = write(graph)
    model = tflite.Model.GetRootAs(data)
    operators = model.Subgraphs(0)
    codes = [
        model.OperatorCodes(operators.Operators(i).OpcodeIndex()).BuiltinCode()
        for i in range(operators.OperatorsLength())
    ]
    assert codes == [tflite.BuiltinOperator.PAD, tflite.BuiltinOperator.CONV_2D]
    (output,) = run_litert(data, random_inputs(graph), reference=True)
    assert output.shape == graph.tensors[y].shape


def test_pooling_that_tensorflow_lite_cannot_say_is_refused() -> None:
    b = GraphBuilder()
    x = b.activation("x", (1, 5, 5, 2))
    y = b.activation("y", (1, 6, 6, 2))
    window = Window(pad_top=2, pad_left=2)
    b.node(OpKind.AVERAGE_POOL_2D, (x,), y, Pool2D(2, 2, window))
    with pytest.raises(GraphError, match="'y': paddings"):
        write(b.graph((x,), (y,)))


def _narrow(bits: int) -> Graph:
    b = GraphBuilder()
    x = b.activation("x", (1, 5, 5, 3))
    window = Window(pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)
    y = b.conv(x, "y", 3, (3, 3), Conv2D(window))
    graph = b.graph((x,), (y,))
    weights = graph.tensors["y/weights"].data
    assert weights is not None
    return with_tensor(graph, "y/weights", data=weights >> (8 - bits), bits=bits)


@pytest.mark.parametrize("bits", [4, 3, 2])
def test_narrow_weights_are_int4_two_to_a_byte(bits: int) -> None:
    graph = _narrow(bits)
    data = write(graph)
    model = tflite.Model.GetRootAs(data)
    subgraph = model.Subgraphs(0)
    tensors = [subgraph.Tensors(i) for i in range(subgraph.TensorsLength())]
    weights = next(t for t in tensors if t.Name() == b"y/weights")
    assert weights.Type() == tflite.TensorType.INT4
    # 81 weights, an odd number
    assert model.Buffers(weights.Buffer()).DataLength() == 41
    versions = {
        model.OperatorCodes(i).BuiltinCode(): model.OperatorCodes(i).Version()
        for i in range(model.OperatorCodesLength())
    }
    assert versions[tflite.BuiltinOperator.CONV_2D] == 7
    (x,) = random_inputs(graph)
    (output,) = run_litert(data, [x], reference=True)
    assert np.array_equal(output, run(graph, {"x": x})["y"])
    assert read(data).tensors["y/weights"].bits == bits


def test_a_constant_that_is_no_operators_weights_alone_stays_int8() -> None:
    graph = _narrow(4)
    b = GraphBuilder()
    b.activation("z", graph.tensors["y/weights"].shape)
    node = Node("add", OpKind.ADD, ("y/weights", "y/weights"), ("z",), Elementwise())
    shared = Graph(
        graph.name,
        {**graph.tensors, "z": b.tensors["z"]},
        (*graph.nodes, node),
        graph.inputs,
        (*graph.outputs, "z"),
    )
    subgraph = tflite.Model.GetRootAs(write(shared)).Subgraphs(0)
    tensors = [subgraph.Tensors(i) for i in range(subgraph.TensorsLength())]
    weights = next(t for t in tensors if t.Name() == b"y/weights")
    assert weights.Type() == tflite.TensorType.INT8
