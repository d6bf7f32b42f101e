"""TensorFlow Lite's rules for int8 quantization parameters, operator by operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from edgeflow.errors import GraphError
from edgeflow.graph.ir import Graph, Node, OpKind, Quantization, Tensor

PROBABILITY = Quantization(scales=(1.0 / 256.0,), zero_points=(-128,))
"""What SOFTMAX and LOGISTIC write: [0, 1) in 256 steps."""

# Bias scales are products rounded to float32; exporters round at different points.
_BIAS_SCALE_RELATIVE_TOLERANCE = 1e-5
_SMALLEST_FLOAT32 = 1.4e-45

_CHANNEL_AXIS: Mapping[OpKind, int] = {
    OpKind.CONV_2D: 0,
    OpKind.DEPTHWISE_CONV_2D: 3,
    OpKind.FULLY_CONNECTED: 0,
}


def check_quantization(graph: Graph, node: Node) -> None:
    """The parameters of a node's operands against each other.

    Raises:
        GraphError: a rule is broken; the message has the parameters.
    """
    inputs = [graph.tensors[name] for name in node.inputs]
    output = graph.tensors[node.outputs[0]]
    for tensor in (*inputs, output):
        weights_or_bias = node.kind in _CHANNEL_AXIS and tensor.is_constant
        if not weights_or_bias and _parameters(tensor).axis is not None:
            raise _error(node, f"'{tensor.name}' is quantized per channel", "Only weights may be.")
    rule = _RULES.get(node.kind)
    if rule is not None:
        rule(node, inputs, output)


def _error(node: Node, message: str, hint: str) -> GraphError:
    return GraphError(f"node '{node.name}' ({node.kind}): {message}", hint=hint)


def _parameters(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None
    return tensor.quantization


def _weighted(node: Node, inputs: list[Tensor], output: Tensor) -> None:
    x, weights, bias = inputs
    channel_axis = _CHANNEL_AXIS[node.kind]
    parameters, bias_parameters = _parameters(weights), _parameters(bias)
    if any(parameters.zero_points) or any(bias_parameters.zero_points):
        raise _error(
            node,
            f"zero points of weights {set(parameters.zero_points)} and bias "
            f"{set(bias_parameters.zero_points)}",
            "Weights and biases are symmetric: zero points 0.",
        )
    if parameters.axis not in (None, channel_axis) or bias_parameters.axis not in (None, 0):
        raise _error(
            node,
            f"quantization axes {parameters.axis} of weights and {bias_parameters.axis} of bias",
            f"Per-channel weights have the axis {channel_axis}, their biases 0.",
        )
    if len(parameters.scales) != len(bias_parameters.scales):
        raise _error(
            node,
            f"{len(parameters.scales)} weight scales and {len(bias_parameters.scales)} bias scales",
            "One bias scale for each weight scale.",
        )
    input_scale = _parameters(x).scales[0]
    for index, (weight_scale, bias_scale) in enumerate(
        zip(parameters.scales, bias_parameters.scales, strict=True)
    ):
        product = input_scale * weight_scale
        if not math.isclose(
            product,
            bias_scale,
            rel_tol=_BIAS_SCALE_RELATIVE_TOLERANCE,
            abs_tol=_SMALLEST_FLOAT32,
        ):
            raise _error(
                node,
                f"bias scale {bias_scale:g} of channel {index}, input * weight scale {product:g}",
                "A bias has the scale of the accumulator.",
            )


def _equal_parameters(node: Node, inputs: list[Tensor], output: Tensor) -> None:
    expected = _parameters(output)
    for tensor in inputs:
        given = _parameters(tensor)
        if (given.scales, given.zero_points) != (expected.scales, expected.zero_points):
            raise _error(
                node,
                f"'{tensor.name}' has scale {given.scales[0]:g} and zero point "
                f"{given.zero_points[0]}, the output {expected.scales[0]:g} and "
                f"{expected.zero_points[0]}",
                "This operator does not rescale: put a QUANTIZE before it.",
            )


def _probability(node: Node, inputs: list[Tensor], output: Tensor) -> None:
    given = _parameters(output)
    if (given.scales, given.zero_points) != (PROBABILITY.scales, PROBABILITY.zero_points):
        raise _error(
            node,
            f"the output has scale {given.scales[0]:g} and zero point {given.zero_points[0]}",
            "It must be 1/256 and -128.",
        )


_RULES: Mapping[OpKind, Callable[[Node, list[Tensor], Tensor], None]] = {
    OpKind.CONV_2D: _weighted,
    OpKind.DEPTHWISE_CONV_2D: _weighted,
    OpKind.FULLY_CONNECTED: _weighted,
    OpKind.AVERAGE_POOL_2D: _equal_parameters,
    OpKind.MAX_POOL_2D: _equal_parameters,
    OpKind.PAD: _equal_parameters,
    OpKind.RESHAPE: _equal_parameters,
    OpKind.CONCATENATION: _equal_parameters,
    OpKind.SOFTMAX: _probability,
    OpKind.LOGISTIC: _probability,
}
