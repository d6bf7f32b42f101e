"""A checked ONNX model to a flow of typed steps: constants folded, shapes known, dead ends gone."""

from __future__ import annotations

import numpy as np

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.onnx_constants import CONSTANT_OPERATORS, binary
from edgeflow.exchange.onnx_model import Array, RawModel, check_elements
from edgeflow.exchange.onnx_node import NodeView
from edgeflow.exchange.onnx_normalize import NORMALIZERS, normalize
from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    ArithmeticKind,
    Concatenate,
    Dequantizing,
    Flow,
    Operator,
    PassThrough,
    Permutation,
    Quantizing,
    Reshaping,
    Step,
)


def flow(model: RawModel) -> Flow:
    """Type every node and fold what depends on constants only.

    Raises UnsupportedOperatorError for operators outside NORMALIZERS that act on data, ModelError
    for contradictions (shapes that do not fit, attributes of the wrong kind).
    """
    constants = dict(model.constants)
    shapes = {name: array.shape for name, array in constants.items()}
    shapes |= {value.name: value.shape for value in model.inputs}
    steps: list[Step] = []
    dequantized: set[str] = set()  # constants whose integers a reader of QDQ models needs
    for node in model.nodes:
        view = NodeView(node, shapes, constants, model.opset)
        output = node.outputs[0]
        on_constants = all(name in constants for name in node.inputs if name)
        if node.op_type in CONSTANT_OPERATORS and (on_constants or node.op_type == "Shape"):
            folded = CONSTANT_OPERATORS[node.op_type](view)
            view.finish()
            check_elements(folded.shape, view.where)
            constants[output], shapes[output] = folded, folded.shape
            continue
        if node.op_type in CONSTANT_OPERATORS and node.op_type not in NORMALIZERS:
            raise UnsupportedOperatorError(
                f"node {node.name!r}: operator {node.op_type!r} is supported on constants only",
                hint="supported on data are " + ", ".join(sorted(NORMALIZERS)),
            )
        operator, indices, shape = normalize(view)
        shapes[output] = shape
        inputs = tuple(node.inputs[i] for i in indices)
        if on_constants:
            values = _fold(operator, [constants[name] for name in inputs], view)
            if values is not None:
                constants[output], shapes[output] = values, values.shape
                if not dequantized.intersection(inputs) and not isinstance(
                    operator, Quantizing | Dequantizing
                ):
                    continue
                dequantized.add(output)
        steps.append(Step(node.name, node.op_type, operator, inputs, output))
    for name in model.outputs:
        if name not in shapes:
            raise ModelError(f"output {name!r} of the ONNX graph is not supported as an output")
    live = _live(steps, model)
    return Flow(
        name=model.name,
        steps=live,
        constants=constants,
        narrow=model.narrow,
        shapes=shapes,
        inputs=model.inputs,
        outputs=model.outputs,
        metadata=model.metadata,
    )


def _live(steps: list[Step], model: RawModel) -> tuple[Step, ...]:
    """Steps that an output depends on, and those that say how an input is quantized."""
    needed = set(model.outputs)
    inputs = {value.name for value in model.inputs}
    kept = []
    for step in reversed(steps):
        quantizes_input = isinstance(step.operator, Quantizing) and step.inputs[0] in inputs
        if step.output in needed or quantizes_input:
            needed.update(step.inputs)
            kept.append(step)
    return tuple(reversed(kept))


def _fold(operator: Operator, values: list[Array], view: NodeView) -> Array | None:
    match operator:
        case PassThrough():
            return values[0]
        case Reshaping(shape):
            return values[0].reshape(shape)
        case Permutation(order):
            return values[0].transpose(order)
        case Concatenate(axis):
            if len({v.dtype for v in values}) != 1:
                raise view.bad("the inputs have different element types")
            return np.concatenate(values, axis=axis)
        case Arithmetic(kind):
            add = kind is ArithmeticKind.ADD
            return binary(view, np.add if add else np.multiply)
        case Quantizing(axis):
            return quantize_constant(values, axis, view.where)
        case Dequantizing(axis):
            return dequantize_constant(values, axis, view.where)
    return None


def _along(values: Array, axis: int, rank: int) -> Array:
    return (
        values.reshape(-1) if values.size == 1 else values.reshape((-1,) + (1,) * (rank - axis - 1))
    )


def quantize_constant(values: list[Array], axis: int, where: str) -> Array:
    """QuantizeLinear of a constant: inputs (float32, scale, zero point or nothing)."""
    zero = values[2] if len(values) > 2 else np.zeros(values[1].shape, np.uint8)
    if zero.dtype not in (np.int8, np.uint8) or values[0].dtype != np.float32:
        raise UnsupportedOperatorError(
            f"{where}: quantizes {values[0].dtype} to {zero.dtype}; "
            "supported is float32 to int8 or uint8"
        )
    rank, limits = values[0].ndim, np.iinfo(zero.dtype)
    with np.errstate(over="ignore"):
        steps = np.round(values[0] / _along(values[1], axis, rank))
    codes = steps.astype(np.float64) + _along(zero, axis, rank)
    return np.clip(codes, limits.min, limits.max).astype(zero.dtype).reshape(values[0].shape)


def dequantize_constant(values: list[Array], axis: int, where: str) -> Array:
    """DequantizeLinear of a constant: inputs (integers, scale, zero point or nothing)."""
    if values[0].dtype not in (np.int8, np.uint8, np.int32):
        raise UnsupportedOperatorError(
            f"{where}: dequantizes {values[0].dtype}; supported are int8, uint8 and int32"
        )
    rank = values[0].ndim
    codes = values[0].astype(np.float64)
    if len(values) > 2:
        codes = codes - _along(values[2], axis, rank).astype(np.float64)
    with np.errstate(over="ignore"):
        real = (codes * _along(values[1], axis, rank)).astype(np.float32)
    if not np.all(np.isfinite(real)):
        raise ModelError(f"{where}: the constant's real values are beyond float32")
    return real.reshape(values[0].shape)
