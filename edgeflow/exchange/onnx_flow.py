"""A checked ONNX model to a flow of typed steps: constants folded, shapes known, dead ends gone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.onnx_model import Array, RawModel, check_elements
from edgeflow.exchange.onnx_normalize import NORMALIZERS, NodeView, normalize
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

_CAST_TYPES: Mapping[int, str] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    11: "float32",
}


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
    return Flow(model.name, live, constants, shapes, model.inputs, model.outputs, model.metadata)


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
            return _binary(view, np.add if add else np.multiply)
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


def _binary(view: NodeView, function: Callable[[Array, Array], Array]) -> Array:
    a, b = view.constant(0), view.constant(1)
    if a.dtype != b.dtype or a.dtype == np.bool_:
        raise view.bad(f"element types {a.dtype} and {b.dtype}")
    try:
        check_elements(np.broadcast_shapes(a.shape, b.shape), view.where)
    except ValueError:
        raise view.bad(f"shapes {list(a.shape)} and {list(b.shape)} do not broadcast") from None
    with np.errstate(all="ignore"):
        result = function(a, b)
    return _finite(view, np.asarray(result).astype(a.dtype))


def _finite(view: NodeView, values: Array) -> Array:
    if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
        raise view.bad("the constant it computes is not finite")
    return values


def _divide(view: NodeView) -> Array:
    if np.any(view.constant(1) == 0):
        raise view.bad("division by zero")
    if view.constant(0).dtype.kind == "f":
        return _binary(view, np.divide)
    return _binary(view, lambda a, b: np.trunc(a / b))


def _constant(view: NodeView) -> Array:
    for name, value in view.node.attributes.items():
        kinds: dict[str, type] = {"value_int": np.int64, "value_ints": np.int64}
        kinds |= {"value_float": np.float32, "value_floats": np.float32}
        if name == "value" and isinstance(value, np.ndarray):
            return view.tensor("value")
        if name in kinds and not isinstance(value, str | np.ndarray):
            return _finite(view, view.numbers(name, kinds[name]))
    raise view.unsupported(f"a constant given by {sorted(view.node.attributes)}")


def _constant_of_shape(view: NodeView) -> Array:
    shape = view.constant_integers(0)
    if any(d < 0 for d in shape):
        raise view.bad(f"shape {shape}")
    check_elements(shape, view.where)
    fill = view.tensor("value") if "value" in view.node.attributes else np.zeros(1, np.float32)
    if fill.size != 1:
        raise view.bad("the value to fill with is not one number")
    return np.full(shape, fill.reshape(-1)[0], dtype=fill.dtype)


def _shape_of(view: NodeView) -> Array:
    shape = view.shape(0)
    start = view.integer("start", 0)
    end = view.integer("end", len(shape))
    return np.array(shape[start:end], dtype=np.int64)


def _cast(view: NodeView) -> Array:
    to = view.integer("to", 0)
    view.integer("saturate", 1)
    if to not in _CAST_TYPES:
        raise view.unsupported(f"element type {to}")
    with np.errstate(invalid="ignore"):
        return view.constant(0).astype(_CAST_TYPES[to])


def _gather(view: NodeView) -> Array:
    values, indices = view.constant(0), view.constant(1)
    if values.ndim == 0 or indices.dtype.kind not in "iu":
        raise view.bad("nothing to index, or indices that are not integers")
    axis = view.axis(view.integer("axis", 0), values.ndim)
    size = values.shape[axis]
    if np.any(indices < -size) or np.any(indices >= size):
        raise view.bad(f"an index is outside the {size} values")
    taken = math.prod(values.shape) // max(size, 1) * indices.size
    check_elements((taken,), view.where)
    return np.take(values, indices, axis=axis)


def _slice(view: NodeView) -> Array:
    values = view.constant(0)
    listed = view.integers("starts"), view.integers("ends"), view.integers("axes")
    starts = listed[0] or view.constant_integers(1)
    ends = listed[1] or view.constant_integers(2)
    axes = listed[2] or (view.constant_integers(3) if view.has(3) else tuple(range(len(starts))))
    steps = view.constant_integers(4) if view.has(4) else (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise view.bad("starts, ends, axes and steps do not fit")
    cut = [slice(None)] * values.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut[view.axis(axis, values.ndim)] = slice(start, end, step)
    return values[tuple(cut)]


CONSTANT_OPERATORS: Mapping[str, Callable[[NodeView], Array]] = {
    "Cast": _cast,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Div": _divide,
    "Gather": _gather,
    "Shape": _shape_of,
    "Slice": _slice,
    "Sqrt": lambda view: _finite(view, _root(view)),
    "Sub": lambda view: _binary(view, np.subtract),
}


def _root(view: NodeView) -> Array:
    with np.errstate(invalid="ignore"):
        return np.sqrt(view.constant(0))
