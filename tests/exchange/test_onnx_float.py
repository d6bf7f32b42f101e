"""Float ONNX as a torch network: equal to ONNX Runtime, trainable, exportable."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange import onnx_float, onnx_qdq
from tests.exchange.onnx_models import (
    FloatOnnx,
    flattening_network,
    residual_network,
    run_onnxruntime,
    samples,
)
from tests.exchange.tflite_graphs import every_operator


def assert_equal_to_onnxruntime(model: onnx.ModelProto, batch: int = 3) -> onnx_float.FloatModel:
    """Relative to the largest output, for single samples and for the batch of them."""
    content = model.SerializeToString()
    network = onnx_float.read(content)
    rows = samples(model, batch)
    expected = np.concatenate([run_onnxruntime(content, {"x": row})[0] for row in rows])
    height, width, channels = network.input_shape_hwc
    x = torch.from_numpy(rows.reshape(batch, *rows.shape[2:]))
    x = x.reshape(batch, channels, height, width) if x.ndim == 2 else x
    with torch.no_grad():
        got = network.module(x).numpy()
    scale = max(float(np.abs(expected).max()), 1.0)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-5 * scale
    assert network.outputs == expected[0].size
    return network


@pytest.mark.parametrize("build", [residual_network, flattening_network])
def test_networks_equal_onnxruntime(build: Any) -> None:
    assert_equal_to_onnxruntime(build())


WINDOWS = st.fixed_dictionaries(
    {
        "kernel": st.integers(1, 4),
        "stride": st.integers(1, 3),
        "pads": st.lists(st.integers(0, 2), min_size=4, max_size=4),
        "auto_pad": st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
    }
)


def window(drawn: dict[str, Any]) -> dict[str, Any]:
    if drawn["auto_pad"].startswith("SAME"):  # else the padding is negative, which others refuse
        drawn["stride"] = min(drawn["stride"], drawn["kernel"])
    attributes: dict[str, Any] = {"strides": [drawn["stride"]] * 2, "auto_pad": drawn["auto_pad"]}
    if drawn["auto_pad"] == "NOTSET":
        attributes["pads"] = [min(p, drawn["kernel"] - 1) for p in drawn["pads"]]
    return attributes


def append(f: FloatOnnx, draw: st.DrawFn, x: str, shape: list[int]) -> tuple[str, list[int]]:
    """One random layer on [1, C, H, W]; gives its output and that output's shape."""
    channels = shape[1]
    kind = draw(st.sampled_from(["conv", "depthwise", "pool", "pointwise", "add", "pad"]))
    if kind == "pointwise":
        simple: list[tuple[str, dict[str, Any]]] = [("Relu", {}), ("Sigmoid", {}), ("Dropout", {})]
        op_type, attributes = draw(st.sampled_from([*simple, ("Softmax", {"axis": 1})]))
        return f.node(op_type, x, **attributes), shape
    if kind == "pad":
        amounts = f.constant(np.array([0, 0, 1, 0, 0, 0, 2, 1], np.int64))
        return f.node("Pad", x, amounts), [1, channels, shape[2] + 3, shape[3] + 1]
    if kind == "add":
        other = f.node(
            "Mul", f.batch_norm(x, channels), f.constant(f.random.normal(size=(channels, 1, 1)))
        )
        return f.node(draw(st.sampled_from(["Add", "Mul"])), x, other), shape
    drawn = draw(WINDOWS)
    drawn["kernel"] = min(drawn["kernel"], shape[2], shape[3])
    attributes = window(drawn)
    if kind == "pool":
        op_type = draw(st.sampled_from(["MaxPool", "AveragePool"]))
        if op_type == "AveragePool":
            attributes["count_include_pad"] = 1
        kernel = [drawn["kernel"]] * 2
        output, filters = f.node(op_type, x, kernel_shape=kernel, **attributes), channels
    else:
        filters = channels * 2 if kind == "depthwise" else draw(st.integers(1, 4))
        group = channels if kind == "depthwise" else 1
        output = f.conv(x, channels, filters, drawn["kernel"], group=group, **attributes)
    return output, [1, filters, *(extent(s, drawn, attributes, i) for i, s in enumerate(shape[2:]))]


def extent(size: int, drawn: dict[str, Any], attributes: dict[str, Any], axis: int) -> int:
    stride, kernel = drawn["stride"], drawn["kernel"]
    if drawn["auto_pad"].startswith("SAME"):
        return -(-size // stride)
    pads = attributes.get("pads", [0] * 4)
    return (size + pads[axis] + pads[2 + axis] - kernel) // stride + 1


@st.composite
def networks(draw: st.DrawFn) -> onnx.ModelProto:
    shape = [1, draw(st.integers(1, 3)), draw(st.integers(4, 9)), draw(st.integers(4, 9))]
    f = FloatOnnx(tuple(shape), draw(st.integers(0, 2**16)), opset=13)
    y = "x"
    for _ in range(draw(st.integers(1, 5))):
        y, shape = append(f, draw, y, shape)
    ending = draw(st.sampled_from(["mean", "flatten", "reshape"]))
    if ending == "mean":
        y, features = f.node("ReduceMean", y, axes=[2, 3], keepdims=0), shape[1]
    elif ending == "flatten":
        y, features = f.node("Flatten", y), int(np.prod(shape))
    else:
        y = f.node("Reshape", y, f.constant(np.array([0, -1], np.int64)))
        features = int(np.prod(shape))
    return f.model(f.gemm(y, features, 4), (4,), batch="N")


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(networks())
def test_random_networks_equal_onnxruntime(model: onnx.ModelProto) -> None:
    assert_equal_to_onnxruntime(model)


def test_weights_are_parameters_that_learn_and_the_network_exports() -> None:
    model = residual_network()
    module = onnx_float.read(model.SerializeToString()).module
    weights = sum(v.size for v in map(onnx.numpy_helper.to_array, model.graph.initializer))
    stored = sum(p.numel() for p in module.state_dict().values() if p.dtype == torch.float32)
    assert stored == weights - 2  # the bounds of Clip
    x = torch.from_numpy(samples(model, 8)[:, 0])
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(module(x), torch.arange(8))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    module.eval()
    program = torch.export.export(module, (x,))
    assert torch.equal(program.module()(x), module(x))


def test_what_torch_exports_as_shape_arithmetic_folds_away() -> None:
    f = FloatOnnx((1, 2, 4, 4), opset=17)
    y = f.conv("x", 2, 3)
    batch = f.node("Gather", f.node("Shape", y), f.constant(np.array(0, np.int64)), axis=0)
    batch = f.node("Unsqueeze", batch, f.constant(np.array([0], np.int64)))
    target = f.node("Concat", batch, f.constant(np.array([-1], np.int64)), axis=0)
    y = f.gemm(f.node("Reshape", y, target), 48, 3)
    network = assert_equal_to_onnxruntime(f.model(y, (3,), batch="N"))
    assert network.input_shape_hwc == (4, 4, 2)


def test_channels_last_inputs_are_taken_as_nchw() -> None:
    f = FloatOnnx((1, 6, 5, 3))
    y = f.conv(f.node("Transpose", "x", perm=[0, 3, 1, 2]), 3, 4)
    model = f.model(f.node("GlobalAveragePool", y), (4, 1, 1))
    network = onnx_float.read(model.SerializeToString())
    x = samples(model, 1)[0]
    expected = run_onnxruntime(model.SerializeToString(), {"x": x})[0]
    got = network.module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    assert network.input_shape_hwc == (6, 5, 3)
    assert np.abs(got - expected).max() < 1e-5
    assert not any("Permute" in type(m).__name__ for m in network.module.modules())


@pytest.mark.parametrize("op_type", ["Gemm", "MatMul"])
def test_flattening_in_nhwc_order_becomes_permuted_dense_weights(op_type: str) -> None:
    f = FloatOnnx((1, 3, 6, 5))
    y = f.node("Transpose", f.conv("x", 3, 4), perm=[0, 2, 3, 1])
    y = f.node("Reshape", y, f.constant(np.array([-1, 120], np.int64)))
    if op_type == "Gemm":
        y = f.gemm(y, 120, 5)
    else:
        y = f.node("Add", f.node("MatMul", y, f.weights(120, 5)), f.weights(5))
    network = assert_equal_to_onnxruntime(f.model(y, (5,)))
    assert [type(m).__name__ for m in network.module.children()] == ["Conv2d", "Flatten", "Linear"]


def test_a_network_on_vectors_flattens_what_it_is_given() -> None:
    f = FloatOnnx((1, 12))
    network = assert_equal_to_onnxruntime(f.model(f.gemm("x", 12, 5), (5,)))
    assert network.input_shape_hwc == (1, 1, 12)


def test_quantized_models_are_sent_to_the_other_reader() -> None:
    with pytest.raises(ModelError, match="is quantized") as error:
        onnx_float.read(onnx_qdq.write(every_operator()))
    assert "onnx_qdq" in error.value.hint


@pytest.mark.parametrize("op_type", ["Erf", "LSTM", "HardSwish", "ConvTranspose"])
def test_unsupported_operators_are_named_with_their_node(op_type: str) -> None:
    f = FloatOnnx((1, 2, 4, 4), opset=14)
    f.node("Relu", "x")
    node = onnx.helper.make_node(op_type, ["relu_0"], ["y"], name="the_node")
    f.nodes.append(node)
    graph = onnx.helper.make_graph(
        f.nodes,
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, (1, 2, 4, 4))],
        [onnx.helper.make_tensor_value_info("y", 1, (1, 2, 4, 4))],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    with pytest.raises(UnsupportedOperatorError, match=f"the_node.*{op_type}") as error:
        onnx_float.read(model.SerializeToString())
    assert "Conv" in error.value.hint
