"""QDQ ONNX: exact round trips, ONNX Runtime's opinion, and what other tools write."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange import onnx_qdq, tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.fingerprint import fingerprint
from edgeflow.graph.interpreter import run
from edgeflow.graph.ir import (
    Activation,
    Conv2D,
    DType,
    Graph,
    NoAttributes,
    Node,
    OpKind,
    Quantization,
    Tensor,
    Window,
)
from tests.exchange.onnx_models import (
    FloatOnnx,
    flattening_network,
    quantize_static,
    residual_network,
    run_onnxruntime,
    samples,
)
from tests.exchange.tflite_graphs import every_operator, with_tensor
from tests.graph.strategies import Dialect, graphs, inputs_for, single_operator
from tests.shared_data import shared_file

RANDOM = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def dequantized(codes: NDArray[np.int8], tensor: Tensor) -> NDArray[np.float32]:
    """Real values as a float input of the file takes them: rank 4 as NCHW."""
    assert tensor.quantization is not None
    steps = codes.astype(np.float32) - np.float32(tensor.quantization.zero_points[0])
    real = (steps * np.float32(tensor.quantization.scales[0])).astype(np.float32)
    return real.transpose(0, 3, 1, 2) if real.ndim == 4 else real


def quantized(real: NDArray[np.float32], tensor: Tensor) -> NDArray[np.int8]:
    assert tensor.quantization is not None
    steps = np.round(real / np.float32(tensor.quantization.scales[0]))
    codes = np.clip(steps + tensor.quantization.zero_points[0], -128, 127).astype(np.int8)
    return codes.transpose(0, 2, 3, 1) if codes.ndim == 4 else codes


def assert_round_trip(graph: Graph) -> bytes:
    """Structure, constants and every name come back."""
    data = onnx_qdq.write(graph)
    back, expected = onnx_qdq.read(data), canonicalize(graph)
    assert fingerprint(back) == fingerprint(expected)
    assert back.nodes == expected.nodes
    assert (back.inputs, back.outputs) == (expected.inputs, expected.outputs)
    assert set(back.tensors) == set(expected.tensors)
    return data


def largest_difference(graph: Graph, data: bytes, inputs: dict[str, NDArray[np.int8]]) -> int:
    """Between ONNX Runtime and the interpreter, in steps of the outputs' scales."""
    feeds = {name: dequantized(codes, graph.tensors[name]) for name, codes in inputs.items()}
    answers, expected = run_onnxruntime(data, feeds), run(graph, inputs)
    return max(
        int(np.abs(quantized(answer, graph.tensors[name]).astype(int) - expected[name]).max())
        for name, answer in zip(graph.outputs, answers, strict=True)
    )


@pytest.mark.parametrize("kind", list(OpKind))
def test_each_operator_round_trips_and_agrees_with_onnxruntime(kind: OpKind) -> None:
    @RANDOM
    @given(st.data())
    def check(data: st.DataObject) -> None:
        graph = data.draw(single_operator(kind, dialect=Dialect.EDGEFLOW))
        content = assert_round_trip(graph)
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
        graph = canonicalize(graph)
        assert largest_difference(graph, content, data.draw(inputs_for(graph))) <= 1

    check()


@settings(parent=RANDOM, max_examples=120)
@given(graphs(max_inputs=2, max_outputs=3, dialect=Dialect.EDGEFLOW))
def test_random_graphs_round_trip(graph: Graph) -> None:
    assert_round_trip(graph)


def test_a_graph_with_every_operator_round_trips() -> None:
    graph = every_operator()
    content = assert_round_trip(graph)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    codes = np.random.default_rng(0).integers(-128, 128, (1, 9, 8, 3)).astype(np.int8)
    assert largest_difference(canonicalize(graph), content, {"input": codes}) <= 2


def test_onnxruntime_runs_the_file_with_its_own_optimizations_too() -> None:
    graph = canonicalize(every_operator())
    x = samples(onnx.load_from_string(content := onnx_qdq.write(graph)), 1)[0]
    plain = run_onnxruntime(content, {"input": x})
    optimized = run_onnxruntime(content, {"input": x}, optimize=True)
    for name, a, b in zip(graph.outputs, plain, optimized, strict=True):
        quantization = graph.tensors[name].quantization
        assert quantization is not None
        assert np.abs(a - b).max() <= 3 * quantization.scales[0]


def test_equal_graphs_give_equal_bytes() -> None:
    assert onnx_qdq.write(every_operator(3)) == onnx_qdq.write(every_operator(3))


def test_the_file_is_readable_onnx_of_opset_13_with_nchw_float_inputs() -> None:
    model = onnx.load_from_string(onnx_qdq.write(every_operator()))
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert (model.opset_import[0].version, dims) == (13, [1, 3, 9, 8])
    assert model.graph.node[0].op_type == "QuantizeLinear"
    assert {"conv_same", "softmax"} <= {node.name for node in model.graph.node}


def test_what_onnx_cannot_express_comes_back_from_metadata_and_is_not_needed_to_run() -> None:
    quantization = Quantization((0.5,), (0,))
    weights = Quantization((0.25, 0.125), (0, 0), 3)
    bias = Quantization((0.125, 0.0625), (0, 0), 0)
    tensors = {
        "x": Tensor("x", (1, 4, 4, 1), DType.INT8, quantization),
        "w": Tensor("w", (1, 1, 1, 2), DType.INT8, weights, np.array([[[[7, -8]]]], np.int8), 4),
        "b": Tensor("b", (2,), DType.INT32, bias, np.array([1, 2], np.int32)),
        "y": Tensor("y", (1, 4, 4, 2), DType.INT8, quantization),
        "z": Tensor("z", (1, 4, 4, 2), DType.INT8, quantization),
    }
    nodes = (
        Node("dw", OpKind.DEPTHWISE_CONV_2D, ("x", "w", "b"), ("y",), Conv2D(Window())),
        Node("q", OpKind.QUANTIZE, ("y",), ("z",), NoAttributes()),
    )
    content = assert_round_trip(Graph("narrow", tensors, nodes, ("x",), ("z",)))
    model = onnx.load_from_string(content)
    assert onnx_qdq.read(content).tensors["w"].bits == 4
    del model.metadata_props[:]
    plain = onnx_qdq.read(model.SerializeToString())
    assert [node.kind for node in plain.nodes] == [OpKind.CONV_2D]


@pytest.mark.parametrize(
    "name",
    ["ic_resnet8_int8", "kws_dscnn_int8", "ad01_int8", "vww_mobilenet_int8", "sww_int8"],
)
def test_mlperf_tiny_networks_round_trip(name: str) -> None:
    assert_round_trip(tflite.read(shared_file(f"{name}.tflite").read_bytes()))


NETWORKS = {"residual": residual_network, "flattening": flattening_network}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("activations", [QuantType.QInt8, QuantType.QUInt8])
def test_models_of_onnxruntime_quantization_agree_with_onnxruntime(
    network: str, per_channel: bool, activations: QuantType, tmp_path: Path
) -> None:
    model = NETWORKS[network]()
    content = quantize_static(
        model,
        tmp_path,
        per_channel=per_channel,
        activation_type=activations,
        weight_type=QuantType.QInt8,
    )
    assert_agreement(content, samples(model, 40, seed=7), most=2)


def test_symmetric_activations_keep_their_relu(tmp_path: Path) -> None:
    model = residual_network()
    content = quantize_static(
        model,
        tmp_path,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True},
    )
    graph = assert_agreement(content, samples(model, 40, seed=7), most=3)
    assert OpKind.RELU6 in {node.kind for node in graph.nodes}


def assert_agreement(content: bytes, rows: NDArray[np.float32], most: int) -> Graph:
    """Argmax equal wherever the two best answers differ by more than the allowed steps."""
    graph = onnx_qdq.read(content)
    (source,), (output,) = graph.inputs, graph.outputs
    differences = []
    for x in rows:
        codes = quantized(x, graph.tensors[source])
        got = run(graph, {source: codes})[output].astype(int).reshape(-1)
        answer = run_onnxruntime(content, {"x": x})[0]
        want = quantized(answer, graph.tensors[output]).astype(int).reshape(-1)
        differences.append(np.abs(got - want))
        best, second = np.sort(want)[::-1][:2]
        if best - second > 2 * most:
            assert got.argmax() == want.argmax()
    assert np.max(differences) <= most
    assert np.mean(differences) < 0.7
    return graph


@pytest.fixture(scope="module")
def nncf_model() -> onnx.ModelProto:
    """What NNCF's ONNX backend makes of a float model; it leaves the logits in float."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nncf

        model = residual_network()
        return nncf.quantize(
            model, nncf.Dataset([{"x": x} for x in samples(model, 16)]), subset_size=16
        )


def test_nncf_model_with_float_logits_is_refused_by_name(nncf_model: onnx.ModelProto) -> None:
    with pytest.raises(ModelError, match=r"Gemm.*not quantized") as error:
        onnx_qdq.read(nncf_model.SerializeToString())
    assert "float model" in error.value.hint


def test_nncf_model_with_quantized_logits_agrees_with_onnxruntime(
    nncf_model: onnx.ModelProto,
) -> None:
    model = onnx.ModelProto.FromString(nncf_model.SerializeToString())
    graph, logits = model.graph, model.graph.output[0].name
    graph.initializer.append(numpy_helper.from_array(np.array(0.03, np.float32), "s"))
    graph.initializer.append(numpy_helper.from_array(np.array(5, np.int8), "z"))
    graph.node.append(helper.make_node("QuantizeLinear", [logits, "s", "z"], ["codes"]))
    graph.node.append(helper.make_node("DequantizeLinear", ["codes", "s", "z"], ["out"]))
    graph.output[0].name = "out"
    read = assert_agreement(
        model.SerializeToString(), samples(residual_network(), 40, seed=7), most=2
    )
    convolutions = [node for node in read.nodes if node.kind is OpKind.CONV_2D]
    assert isinstance(convolutions[0].attributes, Conv2D)
    assert convolutions[0].attributes.activation is Activation.RELU


def qdq_network(build: FloatOnnx) -> tuple[FloatOnnx, str]:
    """The input of a model under construction, quantized."""
    return build, around(build, "x", 0.05)


def around(f: FloatOnnx, x: str, scale: float, zero_point: int = 0) -> str:
    parameters = f.constant(scale), f.constant(np.array(zero_point, np.int8))
    return f.node("DequantizeLinear", f.node("QuantizeLinear", x, *parameters), *parameters)


def stored(f: FloatOnnx, shape: tuple[int, ...], scale: float) -> str:
    codes = f.constant(f.random.integers(-127, 128, shape).astype(np.int8))
    return f.node("DequantizeLinear", codes, f.constant(scale), f.constant(np.array(0, np.int8)))


def test_transposes_that_cancel_leave_nothing_and_an_nhwc_input_stays() -> None:
    f, x = qdq_network(FloatOnnx((1, 6, 5, 3)))
    y = f.node("Transpose", x, perm=[0, 3, 1, 2])
    y = f.node("Conv", y, stored(f, (4, 3, 1, 1), 0.01))
    y = around(f, y, 0.05)
    y = f.node("Transpose", f.node("Transpose", y, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2])
    y = around(f, f.node("Conv", y, stored(f, (2, 4, 1, 1), 0.01)), 0.05)
    y = f.node("Transpose", y, perm=[0, 2, 3, 1])
    graph = onnx_qdq.read(f.model(y, (6, 5, 2)).SerializeToString())
    assert [node.kind for node in graph.nodes] == [OpKind.CONV_2D] * 2
    assert graph.tensors[graph.inputs[0]].shape == (1, 6, 5, 3)
    assert graph.tensors[graph.outputs[0]].shape == (1, 6, 5, 2)


def test_weights_stored_as_float_behind_a_quantizer_and_transposed_are_read() -> None:
    f, x = qdq_network(FloatOnnx((1, 8)))
    w = around(f, f.weights(5, 8), 0.01)
    y = around(f, f.node("MatMul", x, f.node("Transpose", w, perm=[1, 0])), 0.05)
    model = f.model(y, (5,))
    assert_agreement(model.SerializeToString(), samples(model, 20), most=1)


def test_batch_normalization_and_channel_factors_fold_into_stored_weights() -> None:
    f, x = qdq_network(FloatOnnx((1, 3, 6, 6)))
    y = f.batch_norm(f.node("Conv", x, stored(f, (4, 3, 3, 3), 0.003)), 4)
    y = f.node("Mul", y, f.constant(np.array([1.5, -0.5, 0.0, 2.0]).reshape(1, 4, 1, 1)))
    y = f.node("Relu", f.node("Add", y, f.constant(np.float32(0.25))))
    model = f.model(around(f, y, 0.04, -128), (4, 4, 4))
    graph = assert_agreement(model.SerializeToString(), samples(model, 20), most=1)
    assert [node.kind for node in graph.nodes] == [OpKind.CONV_2D]


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [("Transpose", {"perm": [0, 1, 3, 2]}), ("LeakyRelu", {}), ("Pad", {"mode": "reflect"})],
)
def test_unsupported_forms_name_operator_and_node(op_type: str, attributes: dict[str, Any]) -> None:
    f, x = qdq_network(FloatOnnx((1, 3, 4, 4)))
    more = [f.constant(np.array([0] * 8, np.int64))] if op_type == "Pad" else []
    y = around(f, f.node(op_type, x, *more, **attributes), 0.05)
    y = around(f, f.node("Conv", y, stored(f, (4, 3, 1, 1), 0.01)), 0.05)
    with pytest.raises(UnsupportedOperatorError, match=r"node '/"):
        onnx_qdq.read(f.model(y, (4, 4, 4)).SerializeToString())


def test_an_unknown_operator_lists_what_is_supported() -> None:
    f, x = qdq_network(FloatOnnx((1, 3, 4, 4)))
    y = around(f, f.node("LeakyRelu", x), 0.05)
    with pytest.raises(UnsupportedOperatorError, match="LeakyRelu") as error:
        onnx_qdq.read(f.model(y, (3, 4, 4)).SerializeToString())
    assert "Conv" in error.value.hint


@pytest.mark.parametrize("zero_point", [3, -1])
def test_asymmetric_weights_are_refused(zero_point: int) -> None:
    f, x = qdq_network(FloatOnnx((1, 8)))
    codes = f.constant(np.ones((8, 5), np.int8))
    parameters = f.constant(0.1), f.constant(np.array(zero_point, np.int8))
    y = f.node("MatMul", x, f.node("DequantizeLinear", codes, *parameters))
    with pytest.raises(UnsupportedOperatorError, match="zero points"):
        onnx_qdq.read(f.model(around(f, y, 0.05), (5,)).SerializeToString())


def test_unquantized_weights_and_float_models_are_refused() -> None:
    f, x = qdq_network(FloatOnnx((1, 8)))
    y = around(f, f.node("MatMul", x, f.weights(8, 5)), 0.05)
    with pytest.raises(ModelError, match=r"weights .* not quantized"):
        onnx_qdq.read(f.model(y, (5,)).SerializeToString())
    with pytest.raises(ModelError, match="no QuantizeLinear"):
        onnx_qdq.read(residual_network().SerializeToString())


def test_a_quantized_int8_input_becomes_the_graph_input() -> None:
    f = FloatOnnx((1, 8))
    x = f.node("DequantizeLinear", "x", f.constant(0.1), f.constant(np.array(4, np.int8)))
    model = f.model(around(f, f.node("MatMul", x, stored(f, (8, 3), 0.01)), 0.05), (3,))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
    graph = onnx_qdq.read(model.SerializeToString())
    assert graph.tensors["x"].quantization == Quantization((float(np.float32(0.1)),), (4,))


def test_narrow_weights_outside_their_bits_are_refused_by_the_checker() -> None:
    graph = every_operator()
    content = onnx_qdq.write(with_tensor(graph, "conv_same/weights", bits=8))
    model = onnx.load_from_string(content)
    helper.set_model_props(model, {"edgeflow.bits": '{"conv_same/weights": 2}'})
    with pytest.raises(ModelError, match="2 bits"):
        onnx_qdq.read(model.SerializeToString())


NARROWED = ("conv_same/weights", "depthwise/weights", "conv_valid/weights")


def _with_weights_of(bits: int) -> Graph:
    graph = every_operator()
    for name in NARROWED:
        data = graph.tensors[name].data
        assert data is not None
        graph = with_tensor(graph, name, data=data >> (8 - bits), bits=bits)
    return graph


@pytest.mark.parametrize(
    ("bits", "stored", "opset", "per_byte"),
    [(4, TensorProto.INT4, 21, 2), (3, TensorProto.INT4, 21, 2), (2, TensorProto.INT2, 25, 4)],
)
def test_narrow_weights_have_the_narrow_types_of_onnx(
    bits: int, stored: int, opset: int, per_byte: int
) -> None:
    graph = _with_weights_of(bits)
    content = assert_round_trip(graph)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == opset
    weights = next(t for t in model.graph.initializer if t.name == "conv_same/weights")
    assert weights.data_type == stored
    assert len(weights.raw_data) == -(-int(np.prod(weights.dims)) // per_byte)
    wide = graph
    for name in NARROWED:
        wide = with_tensor(wide, name, bits=8)
    feeds = {"input": samples(model, 1)[0]}
    answers = run_onnxruntime(content, feeds), run_onnxruntime(onnx_qdq.write(wide), feeds)
    for narrow, as_int8 in zip(*answers, strict=True):
        assert np.array_equal(narrow, as_int8)


@pytest.mark.parametrize("bits", [4, 2])
def test_narrow_weights_of_other_tools_are_read_with_their_width(bits: int) -> None:
    """Without our metadata, and stored in int32_data, as onnx.helper does."""
    model = onnx.load_from_string(onnx_qdq.write(_with_weights_of(bits)))
    del model.metadata_props[:]
    for tensor in model.graph.initializer:
        if tensor.data_type in (TensorProto.INT4, TensorProto.INT2):
            tensor.int32_data.extend(tensor.raw_data)
            tensor.ClearField("raw_data")
    graph = onnx_qdq.read(model.SerializeToString())
    expected = canonicalize(_with_weights_of(bits))
    for name in ("conv_same/weights", "depthwise/weights"):
        assert graph.tensors[name].bits == bits
        assert np.array_equal(graph.tensors[name].data, expected.tensors[name].data)


@pytest.mark.parametrize("change", ["shorter", "longer", "beyond a byte"])
def test_narrow_weights_that_lie_about_their_size_are_refused(change: str) -> None:
    model = onnx.load_from_string(onnx_qdq.write(_with_weights_of(4)))
    weights = next(t for t in model.graph.initializer if t.name == "conv_same/weights")
    content = weights.raw_data
    if change == "beyond a byte":
        weights.ClearField("raw_data")
        weights.int32_data.extend([300, *content[1:]])
    else:
        weights.raw_data = content[:-1] if change == "shorter" else content + b"\0"
    with pytest.raises(ModelError, match="conv_same/weights"):
        onnx_qdq.read(model.SerializeToString())
