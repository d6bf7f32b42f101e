"""ONNX models made in the tests: small float graphs, and what other tools make of them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]


class FloatOnnx:
    """Collects nodes and random weights; `model()` closes the graph."""

    def __init__(self, input_shape: tuple[int, ...], seed: int = 0, opset: int = 13) -> None:
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.input_shape = input_shape
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: Array | list[int] | float) -> str:
        name = f"constant_{len(self.constants)}"
        array = np.asarray(values)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape: int) -> str:
        fan_in = max(int(np.prod(shape[1:])), 1)
        return self.constant(self.random.normal(0, fan_in**-0.5, shape).astype(np.float32))

    def node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        output = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op_type, list(inputs), [output], name=f"/{output}", **attributes)
        )
        return output

    def conv(self, x: str, channels: int, filters: int, kernel: int = 3, **more: Any) -> str:
        group = more.get("group", 1)
        weights = self.weights(filters, channels // group, kernel, kernel)
        bias = self.constant(self.random.normal(0, 0.2, filters).astype(np.float32))
        if "auto_pad" not in more:
            more.setdefault("pads", [kernel // 2] * 4)
        return self.node("Conv", x, weights, bias, **more)

    def batch_norm(self, x: str, channels: int) -> str:
        draw = self.random.uniform
        scale, mean = draw(0.5, 1.5, channels), draw(-0.3, 0.3, channels)
        scale[0] *= -1.0
        parameters = [scale, draw(-0.3, 0.3, channels), mean, draw(0.5, 1.5, channels)]
        return self.node("BatchNormalization", x, *(self.constant(p) for p in parameters))

    def gemm(self, x: str, features: int, units: int) -> str:
        weights = self.weights(units, features)
        bias = self.constant(self.random.normal(0, 0.2, units).astype(np.float32))
        return self.node("Gemm", x, weights, bias, transB=1)

    def model(
        self, output: str, output_shape: tuple[int, ...], batch: int | str = 1
    ) -> onnx.ModelProto:
        shape = (batch, *self.input_shape[1:])
        graph = helper.make_graph(
            self.nodes,
            "made_in_a_test",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, (batch, *output_shape))],
            self.constants,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(proto)
        return proto


def residual_network(seed: int = 0) -> onnx.ModelProto:
    """Normalization, depthwise, residual, pooling, mean, dense; input [1, 3, 12, 12]."""
    f = FloatOnnx((1, 3, 12, 12), seed)
    y = f.node("Relu", f.batch_norm(f.conv("x", 3, 8), 8))
    z = f.node("Clip", f.conv(y, 8, 8, group=8), f.constant(0.0), f.constant(6.0))
    z = f.conv(z, 8, 8, kernel=1)
    y = f.node("Relu", f.node("Add", y, z))
    y = f.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = f.node("Relu", f.conv(y, 8, 16, strides=[2, 2], pads=[0, 0, 1, 1]))
    y = f.node("GlobalAveragePool", y)
    y = f.node("Flatten", y)
    return f.model(f.gemm(y, 16, 10), (10,))


def flattening_network(seed: int = 0) -> onnx.ModelProto:
    """A sigmoid gate, dense over a flattened [C, H, W], MatMul with Add, softmax at the end."""
    f = FloatOnnx((1, 2, 8, 6), seed)
    y = f.node("Relu", f.conv("x", 2, 4))
    y = f.node("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2])
    gate = f.node("Sigmoid", f.conv(y, 4, 4, kernel=1))
    y = f.node("Concat", f.node("Mul", y, gate), y, axis=1)
    y = f.node("Reshape", y, f.constant(np.array([1, -1], np.int64)))
    y = f.node("Relu", f.gemm(y, 8 * 4 * 3, 12))
    y = f.node("Add", f.node("MatMul", y, f.weights(12, 5)), f.weights(5))
    return f.model(f.node("Softmax", y, axis=1), (5,))


def samples(model: onnx.ModelProto, count: int, seed: int = 1) -> NDArray[np.float32]:
    """Random inputs [count, 1, ...]."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    shape = [dim.dim_value or 1 for dim in dims]
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def run_onnxruntime(data: bytes, inputs: dict[str, Array], optimize: bool = False) -> list[Array]:
    """Outputs of ONNX Runtime on one thread; by default exactly the operators of the file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Processors with AVX2 and without VNNI saturate inner sums of int8 products otherwise.
    options.add_session_config_entry("session.x64quantprecision", "1")
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def quantize_static(model: onnx.ModelProto, folder: Path, **options: Any) -> bytes:
    """What onnxruntime.quantization makes of a float model: preprocessed, then calibrated."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.rows: Iterator[Array] = iter(samples(model, 16))

        def get_next(self) -> dict[str, Array] | None:
            row = next(self.rows, None)
            return None if row is None else {"x": row}

    source, folded, target = (
        folder / f"{stage}.onnx" for stage in ("float", "folded", "quantized")
    )
    onnx.save(model, source)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
            quantization.quantize_static(
                folded, target, Reader(), quant_format=quantization.QuantFormat.QDQ, **options
            )
    finally:
        logging.disable(logging.NOTSET)
    return target.read_bytes()
