"""The integer graph as a QDQ ONNX model: opset 13, or 21 for int4 weights, 25 for int2 ones.

Inputs and outputs are float, rank-4 tensors NCHW. Each integer tensor is a QuantizeLinear followed
by a DequantizeLinear; operators in between are float. Weights, biases and other constants are
stored as their integers behind a DequantizeLinear, weights of 4 and 3 bits as INT4, those of 2 bits
as INT2.

Names are those of the graph: a node's name on its float operator, a tensor's name on the float
tensor before QuantizeLinear (on the dequantized one for the graph's outputs, on the quantized one
for QUANTIZE).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgeflow.exchange.narrow_weights import packed, plain_weights
from edgeflow.graph.groups import groups
from edgeflow.graph.ir import (
    Activation,
    Concatenation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Graph,
    Mean,
    Node,
    OpKind,
    Pad,
    Pool2D,
    Quantization,
    Softmax,
    Tensor,
    Window,
)

# (opset, version of the intermediate representation) that has the narrowest type of the file.
_VERSIONS: Mapping[int, tuple[int, int]] = {8: (13, 7), 4: (21, 10), 2: (25, 13)}
_NARROW_TYPES: Mapping[int, int] = {4: onnx.TensorProto.INT4, 2: onnx.TensorProto.INT2}
_FIRST_OPSET_WITH_AXES_AS_INPUT = 18

# Keys of the model's metadata: what ONNX has no place for. A reader may ignore them.
BITS_KEY = "edgeflow.bits"  # JSON {constant: significant bits}, where its type does not say it
IDENTITY_KEY = "edgeflow.quantize"  # JSON [node], QUANTIZE that keeps scale and zero point
DEPTHWISE_KEY = "edgeflow.depthwise"  # JSON [node], depthwise convolutions of one input channel

TO_NCHW = (0, 3, 1, 2)
TO_NHWC = (0, 2, 3, 1)


@dataclass
class _Model:
    """What is written so far, and the ONNX names of the graph's tensors."""

    graph: Graph
    opset: int
    stored_bits: Mapping[str, int]  # of the constants: 8 (also int32), 4 or 2
    taken: set[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    real: dict[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)
    depthwise: list[str] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)

    def name(self, wanted: str) -> str:
        """An ONNX tensor name that nothing else has."""
        while wanted in self.taken:
            wanted += "_"
        self.taken.add(wanted)
        return wanted

    def add(
        self, op_type: str, inputs: list[str], output: str, name: str, **attributes: Any
    ) -> str:
        """One ONNX node; gives its output."""
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=name, **attributes))
        return output

    def constant(self, wanted: str, values: NDArray[Any]) -> str:
        """One initializer; gives its name."""
        name = self.name(wanted)
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def parameters(
        self, name: str, quantization: Quantization, dtype: type, with_zero_points: bool = True
    ) -> list[str]:
        """Initializers of scale and zero point: scalars, or one entry per channel."""
        per_channel = quantization.axis is not None
        shape = (-1,) if per_channel else ()
        scales = np.array(quantization.scales, np.float32).reshape(shape)
        named = [self.constant(f"{name}/scale", scales)]
        if with_zero_points:
            zeros: NDArray[Any] = np.array(quantization.zero_points, dtype).reshape(shape)
            named.append(self.constant(f"{name}/zero_point", zeros))
        return named

    def value(self, name: str) -> str:
        """The float tensor of an operand, dequantized; rank 4 as NCHW."""
        tensor = self.graph.tensors[name]
        return self.dequantized(name, TO_NCHW if len(tensor.shape) == 4 else ())

    def dequantized(self, name: str, order: tuple[int, ...]) -> str:
        """The float tensor of an operand whose dimensions stand in `order` (none: as they are)."""
        if (name, order) not in self.real:
            self.real[name, order] = self._constant_operand(self.graph.tensors[name], order)
        return self.real[name, order]

    def _constant_operand(self, tensor: Tensor, order: tuple[int, ...]) -> str:
        assert tensor.data is not None
        assert tensor.quantization is not None
        written = any(name == tensor.name for name, _ in self.real)
        codes = tensor.data.transpose(order) if order else tensor.data
        source = tensor.name
        if written:
            source = self.name(f"{tensor.name}/copy")
        bits = self.stored_bits[tensor.name]
        self.constants.append(_initializer(np.asarray(codes, order="C"), source, bits))
        quantization = tensor.quantization
        axis = {}
        if quantization.axis is not None:
            axis = {"axis": order.index(quantization.axis) if order else quantization.axis}
        parameters = self.parameters(source, quantization, tensor.data.dtype.type, bits == 8)
        inputs = [source, *parameters]
        output = self.name(f"{source}/dequantized")
        return self.add("DequantizeLinear", inputs, output, f"{source}/dequantize", **axis)

    def quantize(self, real: str, name: str, codes: str, node: str) -> None:
        """QuantizeLinear and DequantizeLinear behind a float tensor: the integer tensor `name`."""
        tensor = self.graph.tensors[name]
        assert tensor.quantization is not None
        parameters = self.parameters(name, tensor.quantization, np.int8)
        self.add("QuantizeLinear", [real, *parameters], codes, node)
        is_output = name in self.graph.outputs
        output = name if is_output else self.name(f"{name}/dequantized")
        self.add("DequantizeLinear", [codes, *parameters], output, f"{name}/dequantize")
        self.real[name, TO_NCHW if len(tensor.shape) == 4 else ()] = output

    def before_quantization(self, name: str) -> str:
        """The name of the float tensor that becomes the integer tensor `name`."""
        return self.name(f"{name}/unquantized") if name in self.graph.outputs else name


def write_graph(graph: Graph) -> bytes:
    """Serialize; equal graphs give equal bytes."""
    stored_bits = _stored_bits(graph)
    opset, ir_version = _VERSIONS[min(stored_bits.values(), default=8)]
    model = _Model(graph, opset, stored_bits, set(graph.tensors))
    for name in graph.inputs:
        model.quantize(name, name, model.name(f"{name}/quantized"), f"{name}/quantize")
    for node in graph.nodes:
        (output,) = node.outputs
        if node.kind is OpKind.QUANTIZE:
            _requantize(model, node)
            continue
        real = model.before_quantization(output)
        _WRITERS[node.kind](model, node, real)
        model.quantize(real, output, model.name(f"{output}/quantized"), f"{node.name}/quantize")
    proto = helper.make_model(
        helper.make_graph(
            model.nodes,
            graph.name or "graph",
            [_value_info(graph.tensors[name]) for name in graph.inputs],
            [_value_info(graph.tensors[name]) for name in graph.outputs],
            model.constants,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=ir_version,
        producer_name="edgeflow",
    )
    narrow = {
        n: graph.tensors[n].bits for n, s in stored_bits.items() if graph.tensors[n].bits != s
    }
    metadata = {}
    if narrow:
        metadata[BITS_KEY] = json.dumps(narrow, sort_keys=True)
    if model.identities:
        metadata[IDENTITY_KEY] = json.dumps(model.identities)
    if model.depthwise:
        metadata[DEPTHWISE_KEY] = json.dumps(model.depthwise)
    if metadata:
        helper.set_model_props(proto, metadata)
    return proto.SerializeToString(deterministic=True)


def _stored_bits(graph: Graph) -> dict[str, int]:
    """Of every constant. Only weights are narrow: they have the zero point 0, which fits."""
    weights = plain_weights(graph)
    return {
        t.name: next(b for b in (2, 4, 8) if t.bits <= b) if t.name in weights else 8
        for t in graph.tensors.values()
        if t.is_constant
    }


def _initializer(values: NDArray[Any], name: str, bits: int) -> onnx.TensorProto:
    if bits == 8:
        return numpy_helper.from_array(values, name)
    content = packed(values.astype(np.int8), bits)
    return helper.make_tensor(name, _NARROW_TYPES[bits], values.shape, content, raw=True)


def _requantize(model: _Model, node: Node) -> None:
    (source,), (output,) = node.inputs, node.outputs
    is_output = output in model.graph.outputs
    codes = model.name(f"{output}/quantized") if is_output else output
    model.quantize(model.value(source), output, codes, node.name)
    if model.graph.tensors[source].quantization == model.graph.tensors[output].quantization:
        model.identities.append(node.name)


def _value_info(tensor: Tensor) -> onnx.ValueInfoProto:
    shape = tensor.shape
    if len(shape) == 4:
        shape = tuple(shape[i] for i in TO_NCHW)
    return helper.make_tensor_value_info(tensor.name, onnx.TensorProto.FLOAT, shape)


def _activated(model: _Model, node: Node, activation: Activation, output: str) -> str:
    """Write the fused activation; gives the name of the tensor that it reads."""
    if activation is Activation.NONE:
        return output
    before = model.name(f"{node.outputs[0]}/linear")
    _clamp(model, before, output, f"{node.name}/activation", activation)
    return before


def _clamp(model: _Model, source: str, output: str, name: str, activation: Activation) -> None:
    if activation is Activation.RELU:
        model.add("Relu", [source], output, name)
        return
    low = model.constant(f"{name}/low", np.array(0.0, np.float32))
    high = model.constant(f"{name}/high", np.array(6.0, np.float32))
    model.add("Clip", [source, low, high], output, name)


def _with_activation(
    model: _Model, node: Node, activation: Activation, output: str, write: Callable[[str], object]
) -> None:
    """The operator, then its activation, in an order in which they can run."""
    at = len(model.nodes)
    linear = _activated(model, node, activation, output)
    clamps = model.nodes[at:]
    del model.nodes[at:]
    write(linear)
    model.nodes.extend(clamps)


def _window(window: Window) -> dict[str, list[int]]:
    return {
        "strides": [window.stride_h, window.stride_w],
        "pads": [window.pad_top, window.pad_left, window.pad_bottom, window.pad_right],
    }


def _conv(model: _Model, node: Node, output: str) -> None:
    assert isinstance(node.attributes, Conv2D)
    x, weights, bias = node.inputs
    shape, window = model.graph.tensors[weights].shape, node.attributes.window
    depthwise = node.kind is OpKind.DEPTHWISE_CONV_2D
    channels = model.graph.tensors[x].shape[3]
    if depthwise and channels == 1:
        model.depthwise.append(node.name)
    order = (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
    inputs = [model.value(x), model.dequantized(weights, order), model.dequantized(bias, ())]

    def write(linear: str) -> None:
        model.add(
            "Conv",
            inputs,
            linear,
            node.name,
            kernel_shape=[shape[1], shape[2]],
            dilations=[window.dilation_h, window.dilation_w],
            group=channels if depthwise else groups(model.graph, node),
            **_window(window),
        )

    _with_activation(model, node, node.attributes.activation, output, write)


def _dense(model: _Model, node: Node, output: str) -> None:
    assert isinstance(node.attributes, FullyConnected)
    inputs = [model.value(name) for name in node.inputs]
    _with_activation(
        model,
        node,
        node.attributes.activation,
        output,
        lambda linear: model.add("Gemm", inputs, linear, node.name, transB=1),
    )


def _elementwise(model: _Model, node: Node, output: str) -> None:
    assert isinstance(node.attributes, Elementwise)
    inputs = [model.value(name) for name in node.inputs]
    op_type = "Add" if node.kind is OpKind.ADD else "Mul"
    _with_activation(
        model,
        node,
        node.attributes.activation,
        output,
        lambda linear: model.add(op_type, inputs, linear, node.name),
    )


def _pool(model: _Model, node: Node, output: str) -> None:
    attributes = node.attributes
    assert isinstance(attributes, Pool2D)
    x = model.value(node.inputs[0])
    op_type = "AveragePool" if node.kind is OpKind.AVERAGE_POOL_2D else "MaxPool"

    def write(linear: str) -> None:
        kernel = [attributes.kernel_h, attributes.kernel_w]
        model.add(
            op_type, [x], linear, node.name, kernel_shape=kernel, **_window(attributes.window)
        )

    _with_activation(model, node, attributes.activation, output, write)


def _in_graph_order(model: _Model, name: str, node: Node) -> str:
    """The operand as a float tensor whose elements stand in the graph's own (NHWC) order."""
    shape, real = model.graph.tensors[name].shape, model.value(name)
    if len(shape) != 4 or orders_agree(shape):
        return real
    output = model.name(f"{node.name}/nhwc")
    return model.add("Transpose", [real], output, f"{node.name}/to_nhwc", perm=list(TO_NHWC))


def orders_agree(shape_nhwc: tuple[int, ...]) -> bool:
    """Whether NHWC and NCHW put the elements of this shape in the same order."""
    return shape_nhwc[3] == 1 or (shape_nhwc[1] == 1 and shape_nhwc[2] == 1)


def _mean(model: _Model, node: Node, output: str) -> None:
    assert isinstance(node.attributes, Mean)
    axes, keep = node.attributes.axes, node.attributes.keep_dims
    name = node.inputs[0]
    x = model.value(name)
    if len(model.graph.tensors[name].shape) == 4:
        left = [i for i in TO_NCHW if i not in axes]
        if keep or left == sorted(left):
            axes = tuple(TO_NCHW.index(a) for a in axes)
        else:
            transposed = model.name(f"{node.name}/nhwc")
            x = model.add("Transpose", [x], transposed, f"{node.name}/to_nhwc", perm=list(TO_NHWC))
    if model.opset < _FIRST_OPSET_WITH_AXES_AS_INPUT:
        model.add("ReduceMean", [x], output, node.name, axes=sorted(axes), keepdims=int(keep))
        return
    named = model.constant(f"{node.name}/axes", np.array(sorted(axes), np.int64))
    model.add("ReduceMean", [x, named], output, node.name, keepdims=int(keep))


def _pad(model: _Model, node: Node, output: str) -> None:
    assert isinstance(node.attributes, Pad)
    pads = node.attributes.pads
    if len(pads) == 4:
        pads = tuple(pads[i] for i in TO_NCHW)
    flat = [before for before, _ in pads] + [after for _, after in pads]
    amounts = model.constant(f"{node.name}/pads", np.array(flat, np.int64))
    model.add("Pad", [model.value(node.inputs[0]), amounts], output, node.name)


def _reshape(model: _Model, node: Node, output: str) -> None:
    x = _in_graph_order(model, node.inputs[0], node)
    shape = model.graph.tensors[node.outputs[0]].shape
    plain = len(shape) != 4 or orders_agree(shape)
    target = tuple(shape[i] for i in TO_NCHW) if plain and len(shape) == 4 else shape
    amounts = model.constant(f"{node.name}/shape", np.array(target, np.int64))
    reshaped = output if plain else model.name(f"{node.name}/reshaped")
    model.add("Reshape", [x, amounts], reshaped, node.name)
    if not plain:
        model.add("Transpose", [reshaped], output, f"{node.name}/to_nchw", perm=list(TO_NCHW))


def _concatenation(model: _Model, node: Node, output: str) -> None:
    assert isinstance(node.attributes, Concatenation)
    axis = node.attributes.axis
    if len(model.graph.tensors[node.outputs[0]].shape) == 4:
        axis = TO_NCHW.index(axis)
    inputs = [model.value(name) for name in node.inputs]
    model.add("Concat", inputs, output, node.name, axis=axis)


def _softmax(model: _Model, node: Node, output: str) -> None:
    assert isinstance(node.attributes, Softmax)
    x = model.value(node.inputs[0])
    rank = len(model.graph.tensors[node.inputs[0]].shape)
    if node.attributes.beta != 1.0:
        beta = model.constant(f"{node.name}/beta", np.array(node.attributes.beta, np.float32))
        x = model.add("Mul", [x, beta], model.name(f"{node.name}/scaled"), f"{node.name}/scale")
    model.add("Softmax", [x], output, node.name, axis=1 if rank == 4 else rank - 1)


def _relu(model: _Model, node: Node, output: str) -> None:
    activation = Activation.RELU if node.kind is OpKind.RELU else Activation.RELU6
    _clamp(model, model.value(node.inputs[0]), output, node.name, activation)


def _logistic(model: _Model, node: Node, output: str) -> None:
    model.add("Sigmoid", [model.value(node.inputs[0])], output, node.name)


_WRITERS: Mapping[OpKind, Callable[[_Model, Node, str], None]] = {
    OpKind.CONV_2D: _conv,
    OpKind.DEPTHWISE_CONV_2D: _conv,
    OpKind.FULLY_CONNECTED: _dense,
    OpKind.ADD: _elementwise,
    OpKind.MUL: _elementwise,
    OpKind.AVERAGE_POOL_2D: _pool,
    OpKind.MAX_POOL_2D: _pool,
    OpKind.MEAN: _mean,
    OpKind.PAD: _pad,
    OpKind.RESHAPE: _reshape,
    OpKind.CONCATENATION: _concatenation,
    OpKind.SOFTMAX: _softmax,
    OpKind.RELU: _relu,
    OpKind.RELU6: _relu,
    OpKind.LOGISTIC: _logistic,
}
