from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.tflite import read, write
from edgeflow.graph.ir import (
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    OpKind,
    Window,
)
from tests.exchange import tflite_edit as edit
from tests.exchange.tflite_edit import edited
from tests.exchange.tflite_graphs import GraphBuilder, every_operator, run_litert, small_network
from tests.shared_data import shared_file

MLPERF_TINY = ("ic_resnet8_int8", "kws_dscnn_int8", "ad01_int8", "vww_mobilenet_int8", "sww_int8")


def changed(change: Callable[[Any], None]) -> bytes:
    return edited(write(small_network()), change)


def means_the_same_after_rewriting(data: bytes) -> Graph:
    """Read the file; LiteRT computes the same from it and from what we write of the graph."""
    graph = read(data)
    again = write(graph)
    assert write(read(again)) == again
    random = np.random.default_rng(0)
    for reference in (True, False):
        inputs = [
            random.integers(-128, 128, graph.tensors[name].shape).astype(np.int8)
            for name in graph.inputs
        ]
        expected = run_litert(data, inputs, reference)
        outputs = run_litert(again, inputs, reference)
        for left, right in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(left, right)
    return graph


@pytest.mark.parametrize("name", MLPERF_TINY)
def test_mlperf_tiny_models_mean_the_same_after_rewriting(name: str) -> None:
    graph = means_the_same_after_rewriting(shared_file(f"{name}.tflite").read_bytes())
    assert len(graph.nodes) >= 10


def test_every_operator_means_the_same_after_rewriting() -> None:
    means_the_same_after_rewriting(write(every_operator()))


def test_float_inputs_and_outputs_are_stripped_to_the_int8_network() -> None:
    graph = read(changed(edit.with_float_boundary))
    assert (graph.inputs, graph.outputs) == (("x",), ("z",))
    assert write(graph) == write(small_network())


def test_uint8_inputs_and_outputs_are_stripped_to_the_int8_network() -> None:
    def change(model: Any) -> None:
        edit.with_float_boundary(model)
        for name in ("float_in", "float_out"):
            edit.tensor_named(model, name).type = edit.UINT8
        subgraph = model.subgraphs[0]
        subgraph.operators[-1].opcodeIndex = subgraph.operators[0].opcodeIndex

    graph = read(changed(change))
    assert (graph.inputs, graph.outputs) == (("x",), ("z",))


def test_a_float_input_that_is_not_quantized_first_is_refused() -> None:
    def change(model: Any) -> None:
        edit.tensor_named(model, "x").type = edit.FLOAT32

    with pytest.raises(UnsupportedOperatorError, match="input 'x' of type FLOAT32 is read by oper"):
        read(changed(change))


@pytest.mark.parametrize("type_name", ["UINT8", "INT16", "FLOAT32"])
def test_internal_types_other_than_int8_are_refused_with_operator_and_tensor(
    type_name: str,
) -> None:
    def change(model: Any) -> None:
        edit.tensor_named(model, "y").type = getattr(schema.TensorType, type_name)
        edit.tensor_named(model, "y").quantization.zeroPoint = [0]

    with pytest.raises(
        UnsupportedOperatorError,
        match=f"operator 0, CONV_2D 'y': tensor 'y' is of type {type_name}",
    ):
        read(changed(change))


def test_an_operator_outside_the_set_is_named_with_its_index_and_what_is_supported() -> None:
    def change(model: Any) -> None:
        edit.operator_writing(model, "flat").opcodeIndex = edit.add_code(
            model, schema.BuiltinOperator.TANH
        )

    with pytest.raises(UnsupportedOperatorError, match="operator 1, TANH 'flat'") as caught:
        read(changed(change))
    assert "CONV_2D" in caught.value.hint


def test_a_custom_operator_is_named() -> None:
    def change(model: Any) -> None:
        edit.operator_writing(model, "flat").opcodeIndex = edit.add_code(
            model, schema.BuiltinOperator.CUSTOM, "MyOp"
        )

    with pytest.raises(UnsupportedOperatorError, match="custom operator 'MyOp' 'flat'"):
        read(changed(change))


@pytest.mark.parametrize("name", ["RELU_N1_TO_1", "TANH", "SIGN_BIT"])
def test_a_fused_activation_outside_the_set_is_named(name: str) -> None:
    def change(model: Any) -> None:
        options = edit.operator_writing(model, "y").builtinOptions
        options.fusedActivationFunction = getattr(schema.ActivationFunctionType, name)

    with pytest.raises(UnsupportedOperatorError, match=f"CONV_2D 'y': fused activation {name}"):
        read(changed(change))


def test_a_batch_left_open_becomes_one() -> None:
    def change(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            if tensor.buffer == 0:
                tensor.shape = [-1, *tensor.shape[1:]]

    assert write(read(changed(change))) == write(small_network())


def test_a_batch_of_two_is_refused() -> None:
    def change(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            if tensor.buffer == 0:
                tensor.shape = [2, *tensor.shape[1:]]

    with pytest.raises(UnsupportedOperatorError, match=r"\[2, 4, 4, 2\].*supported: \[1, height"):
        read(changed(change))


@pytest.mark.parametrize("left_out", [[], [-1]], ids=["no operand", "an operand left out"])
def test_a_missing_bias_becomes_zeros(left_out: list[int]) -> None:
    def change(model: Any) -> None:
        operator = edit.operator_writing(model, "z")
        operator.inputs = [*operator.inputs[:2], *left_out]

    graph = means_the_same_after_rewriting(changed(change))
    bias = graph.tensors[graph.nodes[-1].inputs[2]]
    assert bias.data is not None
    assert not bias.data.any()


@pytest.mark.parametrize("name", ["SQUEEZE", "EXPAND_DIMS"])
def test_squeeze_and_expand_dims_become_reshape(name: str) -> None:
    def change(model: Any) -> None:
        operator = edit.operator_writing(model, "flat")
        operator.opcodeIndex = edit.add_code(model, getattr(schema.BuiltinOperator, name))
        operator.builtinOptions, operator.builtinOptionsType = None, 0
        if name == "SQUEEZE":
            operator.inputs = operator.inputs[:1]

    assert [node.kind for node in read(changed(change)).nodes][1] is OpKind.RESHAPE


def test_shape_arithmetic_before_a_reshape_is_folded() -> None:
    def change(model: Any) -> None:
        subgraph = model.subgraphs[0]
        flat = edit.operator_writing(model, "flat")
        shape = edit.add_tensor(model, "shape", [4], edit.INT32)
        batch = edit.add_tensor(model, "batch", [], edit.INT32)
        wanted = edit.add_tensor(model, "wanted", [2], edit.INT32)
        first, one = (np.array([v], np.int32).tobytes() for v in (0, 1))
        begin = edit.add_tensor(model, "begin", [1], edit.INT32, data=first)
        end = edit.add_tensor(model, "end", [1], edit.INT32, data=one)
        width = edit.add_tensor(model, "width", [], edit.INT32, data=np.int32(12).tobytes())
        codes = schema.BuiltinOperator
        made = [
            edit.operator(model, codes.SHAPE, [flat.inputs[0]], [shape]),
            edit.operator(model, codes.STRIDED_SLICE, [shape, begin, end, end], [batch]),
            edit.operator(model, codes.PACK, [batch, width], [wanted]),
        ]
        flat.inputs = [flat.inputs[0], wanted]
        position = subgraph.operators.index(flat)
        subgraph.operators[position:position] = made

    assert write(read(changed(change))) == write(small_network())


def test_dense_layers_take_images_and_keep_dimensions() -> None:
    def change(model: Any) -> None:
        subgraph = model.subgraphs[0]
        edit.tensor_named(model, "flat").shape = [1, 1, 1, 12]
        operator = edit.operator_writing(model, "flat")
        operator.inputs = operator.inputs[:1]
        operator.builtinOptions.newShape = [1, 1, 1, 12]
        edit.tensor_named(model, "z").shape = [1, 1, 1, 5]
        dense = edit.operator_writing(model, "z")
        dense.builtinOptions.keepNumDims = True
        assert subgraph.operators[-1] is dense

    graph = means_the_same_after_rewriting(changed(change))
    assert graph.tensors["z"].shape == (1, 1, 1, 5)


def test_a_dense_layer_over_several_vectors_is_refused() -> None:
    b = GraphBuilder()
    x = b.activation("x", (1, 12))
    weights = b.weights("z/weights", (5, 12), None)
    bias = b.bias("z/bias", 5, x, weights)
    z = b.activation("z", (1, 5))
    b.node(OpKind.FULLY_CONNECTED, (x, weights, bias), z, FullyConnected())

    def change(model: Any) -> None:
        edit.tensor_named(model, "x").shape = [1, 4, 12]
        edit.tensor_named(model, "z").shape = [1, 4, 5]

    with pytest.raises(UnsupportedOperatorError, match=r"FULLY_CONNECTED 'z'.*one vector of 12"):
        read(edited(write(b.graph((x,), (z,))), change))


def test_int4_weights_are_unpacked() -> None:
    values = np.random.default_rng(0).integers(-8, 8, 60).astype(np.int8)

    def change(model: Any) -> None:
        weights = edit.tensor_named(model, "z/weights")
        weights.type = edit.INT4
        low, high = values[0::2] & 15, values[1::2] & 15
        weights.buffer = edit.add_buffer(model, (low | high << 4).astype(np.uint8).tobytes())

    tensor = read(changed(change)).tensors["z/weights"]
    assert tensor.bits == 4
    assert tensor.data is not None
    assert tensor.data.reshape(-1).tolist() == values.tolist()


def test_nameless_tensors_get_their_index_as_name() -> None:
    def change(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = ""

    graph = read(changed(change))
    assert graph.inputs == ("tensor_0",)


def test_channels_in_unequal_groups_are_refused_by_name() -> None:
    b = GraphBuilder()
    x = b.activation("x", (1, 4, 4, 2))
    y = b.conv(x, "y", 4, (1, 1), Conv2D(Window()))

    def change(model: Any) -> None:
        edit.tensor_named(model, "x").shape = [1, 4, 4, 6]

    with pytest.raises(UnsupportedOperatorError, match=r"CONV_2D 'y'.*equal groups"):
        read(edited(write(b.graph((x,), (y,))), change))


def test_an_invalid_network_is_a_model_error_with_the_checkers_words() -> None:
    b = GraphBuilder()
    x = b.activation("x", (1, 4, 4, 2))
    y = b.activation("y", (1, 4, 4, 2))
    z = b.activation("z", (1, 4, 4, 2))
    b.node(OpKind.ADD, (x, y), z, Elementwise())
    b.node(OpKind.ADD, (x, z), "s", Elementwise())
    b.activation("s", (1, 4, 4, 3))
    with pytest.raises(ModelError, match="'s' has the shape"):
        read(write(b.graph((x, y), ("s",))))
