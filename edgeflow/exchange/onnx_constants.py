"""ONNX operators that edgeflow computes while it reads, because they act on constants only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from edgeflow.exchange.onnx_model import Array, check_elements
from edgeflow.exchange.onnx_node import NodeView

_CAST_TYPES: Mapping[int, str] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    11: "float32",
}


def binary(view: NodeView, function: Callable[[Array, Array], Array]) -> Array:
    """An elementwise operator on two constants of one type."""
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
        return binary(view, np.divide)
    return binary(view, lambda a, b: np.trunc(a / b))


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
    "Sub": lambda view: binary(view, np.subtract),
}


def _root(view: NodeView) -> Array:
    with np.errstate(invalid="ignore"):
        return np.sqrt(view.constant(0))
