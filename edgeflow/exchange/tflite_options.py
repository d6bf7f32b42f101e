"""Operator codes, versions and option tables of the operators that we write to `.tflite`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tflite
from flatbuffers import Builder

from edgeflow.exchange.tflite_padding import PaddingScheme
from edgeflow.graph.ir import (
    Activation,
    Concatenation,
    Conv2D,
    Elementwise,
    FullyConnected,
    Mean,
    Node,
    OpKind,
    Pool2D,
    Softmax,
    Tensor,
)

Tensors = Mapping[str, Tensor]

ACTIVATION_CODES: Mapping[Activation, int] = {
    Activation.NONE: tflite.ActivationFunctionType.NONE,
    Activation.RELU: tflite.ActivationFunctionType.RELU,
    Activation.RELU6: tflite.ActivationFunctionType.RELU6,
}

PADDING_CODES: Mapping[PaddingScheme, int] = {
    PaddingScheme.SAME: tflite.Padding.SAME,
    PaddingScheme.VALID: tflite.Padding.VALID,
}

# The lowest version at which each operator takes int8, as TensorFlow Lite's op_version.cc assigns
# it; MUL is the one whose version depends on the scales.
INT8_VERSIONS: Mapping[OpKind, int] = {
    OpKind.CONV_2D: 3,
    OpKind.DEPTHWISE_CONV_2D: 3,
    OpKind.FULLY_CONNECTED: 4,
    OpKind.ADD: 2,
    OpKind.MUL: 2,
    OpKind.AVERAGE_POOL_2D: 2,
    OpKind.MAX_POOL_2D: 2,
    OpKind.MEAN: 2,
    OpKind.PAD: 2,
    OpKind.RESHAPE: 1,
    OpKind.CONCATENATION: 2,
    OpKind.SOFTMAX: 2,
    OpKind.RELU: 2,
    OpKind.RELU6: 2,
    OpKind.LOGISTIC: 2,
    OpKind.QUANTIZE: 1,
}
# The same for int4 weights.
INT4_VERSIONS: Mapping[OpKind, int] = {
    OpKind.CONV_2D: 7,
    OpKind.DEPTHWISE_CONV_2D: 7,
    OpKind.FULLY_CONNECTED: 10,
}
MUL_VERSION_WITH_LARGE_RESCALE = 3


def builtin_code(kind: OpKind) -> int:
    """The operator's number in the schema's BuiltinOperator."""
    return int(getattr(tflite.BuiltinOperator, kind.value))


def operator_version(tensors: Tensors, int4: frozenset[str], node: Node) -> int:
    """The operator version to declare for the node; `int4` names the weights of that type."""
    if node.kind in INT4_VERSIONS and node.inputs[1] in int4:
        return INT4_VERSIONS[node.kind]
    if node.kind is OpKind.MUL:
        first, second, out = (_scale(tensors, name) for name in (*node.inputs, *node.outputs))
        if first * second / out >= 1.0:
            return MUL_VERSION_WITH_LARGE_RESCALE
    return INT8_VERSIONS[node.kind]


def _scale(tensors: Tensors, name: str) -> float:
    quantization = tensors[name].quantization
    assert quantization is not None, f"{name}: the checker lets no int8 tensor pass without it"
    return quantization.scales[0]


@dataclass(frozen=True)
class OptionTable:
    """An option table already in the builder: its union type and its offset."""

    union_type: int
    offset: int


def _conv(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Conv2D)
    window = attributes.window
    tflite.Conv2DOptionsStart(builder)
    tflite.Conv2DOptionsAddPadding(builder, PADDING_CODES[scheme])
    tflite.Conv2DOptionsAddStrideW(builder, window.stride_w)
    tflite.Conv2DOptionsAddStrideH(builder, window.stride_h)
    tflite.Conv2DOptionsAddDilationWFactor(builder, window.dilation_w)
    tflite.Conv2DOptionsAddDilationHFactor(builder, window.dilation_h)
    tflite.Conv2DOptionsAddFusedActivationFunction(builder, ACTIVATION_CODES[attributes.activation])
    return OptionTable(tflite.BuiltinOptions.Conv2DOptions, tflite.Conv2DOptionsEnd(builder))


def _depthwise(
    builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme
) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Conv2D)
    window = attributes.window
    channels_in = tensors[node.inputs[0]].shape[3]
    channels_out = tensors[node.inputs[1]].shape[3]
    tflite.DepthwiseConv2DOptionsStart(builder)
    tflite.DepthwiseConv2DOptionsAddPadding(builder, PADDING_CODES[scheme])
    tflite.DepthwiseConv2DOptionsAddStrideW(builder, window.stride_w)
    tflite.DepthwiseConv2DOptionsAddStrideH(builder, window.stride_h)
    tflite.DepthwiseConv2DOptionsAddDepthMultiplier(builder, channels_out // channels_in)
    tflite.DepthwiseConv2DOptionsAddDilationWFactor(builder, window.dilation_w)
    tflite.DepthwiseConv2DOptionsAddDilationHFactor(builder, window.dilation_h)
    tflite.DepthwiseConv2DOptionsAddFusedActivationFunction(
        builder, ACTIVATION_CODES[attributes.activation]
    )
    return OptionTable(
        tflite.BuiltinOptions.DepthwiseConv2DOptions, tflite.DepthwiseConv2DOptionsEnd(builder)
    )


def _pool(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Pool2D)
    tflite.Pool2DOptionsStart(builder)
    tflite.Pool2DOptionsAddPadding(builder, PADDING_CODES[scheme])
    tflite.Pool2DOptionsAddStrideW(builder, attributes.window.stride_w)
    tflite.Pool2DOptionsAddStrideH(builder, attributes.window.stride_h)
    tflite.Pool2DOptionsAddFilterWidth(builder, attributes.kernel_w)
    tflite.Pool2DOptionsAddFilterHeight(builder, attributes.kernel_h)
    tflite.Pool2DOptionsAddFusedActivationFunction(builder, ACTIVATION_CODES[attributes.activation])
    return OptionTable(tflite.BuiltinOptions.Pool2DOptions, tflite.Pool2DOptionsEnd(builder))


def _dense(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, FullyConnected)
    tflite.FullyConnectedOptionsStart(builder)
    tflite.FullyConnectedOptionsAddFusedActivationFunction(
        builder, ACTIVATION_CODES[attributes.activation]
    )
    return OptionTable(
        tflite.BuiltinOptions.FullyConnectedOptions, tflite.FullyConnectedOptionsEnd(builder)
    )


def _add(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Elementwise)
    tflite.AddOptionsStart(builder)
    tflite.AddOptionsAddFusedActivationFunction(builder, ACTIVATION_CODES[attributes.activation])
    return OptionTable(tflite.BuiltinOptions.AddOptions, tflite.AddOptionsEnd(builder))


def _mul(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Elementwise)
    tflite.MulOptionsStart(builder)
    tflite.MulOptionsAddFusedActivationFunction(builder, ACTIVATION_CODES[attributes.activation])
    return OptionTable(tflite.BuiltinOptions.MulOptions, tflite.MulOptionsEnd(builder))


def _mean(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Mean)
    tflite.ReducerOptionsStart(builder)
    tflite.ReducerOptionsAddKeepDims(builder, attributes.keep_dims)
    return OptionTable(tflite.BuiltinOptions.ReducerOptions, tflite.ReducerOptionsEnd(builder))


def _pad(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    tflite.PadOptionsStart(builder)
    return OptionTable(tflite.BuiltinOptions.PadOptions, tflite.PadOptionsEnd(builder))


def _reshape(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    shape = np.asarray(tensors[node.outputs[0]].shape, dtype=np.int32)
    new_shape = builder.CreateNumpyVector(shape)
    tflite.ReshapeOptionsStart(builder)
    tflite.ReshapeOptionsAddNewShape(builder, new_shape)
    return OptionTable(tflite.BuiltinOptions.ReshapeOptions, tflite.ReshapeOptionsEnd(builder))


def _concatenation(
    builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme
) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Concatenation)
    tflite.ConcatenationOptionsStart(builder)
    tflite.ConcatenationOptionsAddAxis(builder, attributes.axis)
    return OptionTable(
        tflite.BuiltinOptions.ConcatenationOptions, tflite.ConcatenationOptionsEnd(builder)
    )


def _softmax(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    attributes = node.attributes
    assert isinstance(attributes, Softmax)
    tflite.SoftmaxOptionsStart(builder)
    tflite.SoftmaxOptionsAddBeta(builder, attributes.beta)
    return OptionTable(tflite.BuiltinOptions.SoftmaxOptions, tflite.SoftmaxOptionsEnd(builder))


def _quantize(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    tflite.QuantizeOptionsStart(builder)
    return OptionTable(tflite.BuiltinOptions.QuantizeOptions, tflite.QuantizeOptionsEnd(builder))


def _none(builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme) -> OptionTable:
    return OptionTable(tflite.BuiltinOptions.NONE, 0)


_WRITERS: Mapping[OpKind, Callable[[Builder, Tensors, Node, PaddingScheme], OptionTable]] = {
    OpKind.CONV_2D: _conv,
    OpKind.DEPTHWISE_CONV_2D: _depthwise,
    OpKind.FULLY_CONNECTED: _dense,
    OpKind.ADD: _add,
    OpKind.MUL: _mul,
    OpKind.AVERAGE_POOL_2D: _pool,
    OpKind.MAX_POOL_2D: _pool,
    OpKind.MEAN: _mean,
    OpKind.PAD: _pad,
    OpKind.RESHAPE: _reshape,
    OpKind.CONCATENATION: _concatenation,
    OpKind.SOFTMAX: _softmax,
    OpKind.RELU: _none,
    OpKind.RELU6: _none,
    OpKind.LOGISTIC: _none,
    OpKind.QUANTIZE: _quantize,
}


def write_options(
    builder: Builder, tensors: Tensors, node: Node, scheme: PaddingScheme
) -> OptionTable:
    """Write the node's option table; `scheme` matters to operators with a window only."""
    return _WRITERS[node.kind](builder, tensors, node, scheme)
