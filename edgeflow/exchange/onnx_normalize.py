"""ONNX nodes to typed operators with their output shape; what is not supported is refused here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from edgeflow.errors import UnsupportedOperatorError
from edgeflow.exchange.onnx_model import check_elements
from edgeflow.exchange.onnx_node import NodeView, Shape
from edgeflow.exchange.onnx_operators import (
    Arithmetic,
    ArithmeticKind,
    Clamp,
    Concatenate,
    Convolution,
    Dense,
    Dequantizing,
    Normalization,
    Operator,
    Padding,
    PassThrough,
    Permutation,
    Pooling,
    PoolKind,
    Quantizing,
    ReduceMean,
    Reshaping,
    Sigmoid,
    SoftmaxAlong,
)
from edgeflow.graph.ir import Window

Normalized = tuple[Operator, tuple[int, ...], Shape]  # operator, data inputs (indices), shape

MAX_WINDOW_VALUE = 65535


def normalize(view: NodeView) -> Normalized:
    """The typed operator of a node, which of its inputs are data, and its output's shape."""
    function = NORMALIZERS.get(view.node.op_type)
    if function is None:
        raise UnsupportedOperatorError(
            f"node {view.node.name!r}: operator {view.node.op_type!r} is not supported on data",
            hint="supported are " + ", ".join(sorted(NORMALIZERS)),
        )
    operator, inputs, shape = function(view)
    view.finish()
    check_elements(shape, view.where)
    if any(d <= 0 for d in shape):
        raise view.bad(f"the output has shape {list(shape)}")
    return operator, inputs, shape


def _window(view: NodeView, kernel: tuple[int, int], x: Shape) -> tuple[Window, Shape]:
    """Window attributes and the spatial output shape; auto_pad and ceil_mode become padding."""
    strides = view.integers("strides") or (1, 1)
    dilations = view.integers("dilations") or (1, 1)
    pads = view.integers("pads") or (0, 0, 0, 0)
    mode = view.text("auto_pad", "NOTSET")
    ceil = view.integer("ceil_mode", 0)
    if (len(strides), len(dilations), len(pads)) != (2, 2, 4):
        raise view.unsupported("only two-dimensional windows are supported")
    values = (*strides, *dilations, *kernel)
    if min(values) < 1 or min(pads) < 0 or max(*values, *pads) > MAX_WINDOW_VALUE:
        raise view.bad(f"kernel {kernel}, strides {strides}, dilations {dilations}, pads {pads}")
    before, after, out = list(pads[:2]), list(pads[2:]), []
    for i in range(2):
        reach = dilations[i] * (kernel[i] - 1) + 1
        size = x[2 + i]
        if mode in ("SAME_UPPER", "SAME_LOWER"):
            total = max((-(-size // strides[i]) - 1) * strides[i] + reach - size, 0)
            small, large = total // 2, total - total // 2
            before[i], after[i] = (small, large) if mode == "SAME_UPPER" else (large, small)
        elif mode == "VALID":
            before[i] = after[i] = 0
        elif mode != "NOTSET":
            raise view.bad(f"auto_pad {mode!r}")
        span = size + before[i] + after[i] - reach
        if span < 0:
            raise view.bad(f"a window of {reach} is larger than the padded input {span + reach}")
        count = span // strides[i] + 1
        if ceil and span % strides[i] and count * strides[i] < size + before[i]:
            after[i] += strides[i] - span % strides[i]
            count += 1
        out.append(count)
    window = Window(
        strides[0], strides[1], before[0], after[0], before[1], after[1], dilations[0], dilations[1]
    )
    return window, tuple(out)


def _require_nchw(view: NodeView) -> Shape:
    shape = view.shape(0)
    if len(shape) != 4:
        raise view.unsupported(
            f"input of shape {list(shape)}; only [N, C, H, W] tensors are supported"
        )
    return shape


def _conv(view: NodeView) -> Normalized:
    x, weights = _require_nchw(view), view.shape(1)
    groups = view.integer("group", 1)
    kernel = view.integers("kernel_shape") or weights[2:]
    if len(weights) != 4 or kernel != weights[2:] or groups < 1:
        raise view.bad(f"weights of shape {list(weights)}, kernel {kernel}, {groups} groups")
    if weights[1] * groups != x[1] or weights[0] % groups:
        raise view.bad(f"weights {list(weights)} in {groups} groups do not fit input {list(x)}")
    if view.has(2) and view.shape(2) != (weights[0],):
        raise view.bad(f"bias of shape {list(view.shape(2))} for {weights[0]} channels")
    window, out = _window(view, (kernel[0], kernel[1]), x)
    inputs = (0, 1, 2) if view.has(2) else (0, 1)
    return Convolution(window, groups), inputs, (x[0], weights[0], *out)


def _pool(view: NodeView) -> Normalized:
    x = _require_nchw(view)
    kernel = view.integers("kernel_shape")
    if kernel is None or len(kernel) != 2:
        raise view.bad(f"kernel_shape {kernel}")
    ceil = view.integer("ceil_mode", 0)
    declared = view.integers("pads") or (0, 0, 0, 0)
    window, out = _window(view, (kernel[0], kernel[1]), x)
    pads = (window.pad_top, window.pad_left, window.pad_bottom, window.pad_right)
    if max(pads[0], pads[2]) >= kernel[0] or max(pads[1], pads[3]) >= kernel[1]:
        raise view.unsupported(f"padding {pads} reaches the kernel {kernel}")
    if view.node.op_type == "MaxPool":
        if view.integer("storage_order", 0):
            raise view.unsupported("storage_order 1")
        kind, counts = PoolKind.MAX, False
    else:
        kind = PoolKind.AVERAGE
        counts = bool(view.integer("count_include_pad", 0)) and any(pads)
        if (window.dilation_h, window.dilation_w) != (1, 1):
            raise view.unsupported("dilated average pooling")
        if counts and ceil and pads != declared:
            raise view.unsupported("ceil_mode together with count_include_pad")
    pooling = Pooling(kind, kernel[0], kernel[1], window, counts)
    return pooling, (0,), (x[0], x[1], *out)


def _global_average_pool(view: NodeView) -> Normalized:
    x = _require_nchw(view)
    return ReduceMean((2, 3), True), (0,), (x[0], x[1], 1, 1)


def _reduce_mean(view: NodeView) -> Normalized:
    x = view.shape(0)
    axes = view.integers("axes")
    if axes is None and view.has(1):
        axes = view.constant_integers(1)
    no_op = view.integer("noop_with_empty_axes", 0)
    keep = bool(view.integer("keepdims", 1))
    if not axes:
        if no_op:
            return PassThrough(), (0,), x
        raise view.unsupported("the mean over every axis, the batch included")
    axes = tuple(sorted({view.axis(a, len(x)) for a in axes}))
    if axes[0] == 0:
        raise view.unsupported("the mean over the batch axis")
    kept = [1 if i in axes else d for i, d in enumerate(x) if keep or i not in axes]
    return ReduceMean(axes, keep), (0,), tuple(kept)


def _gemm(view: NodeView) -> Normalized:
    x, weights = view.shape(0), view.shape(1)
    transposed = bool(view.integer("transB", 0))
    alpha, beta = view.real("alpha", 1.0), view.real("beta", 1.0)
    if view.integer("transA", 0):
        raise view.unsupported("transA 1")
    if len(x) != 2 or len(weights) != 2:
        raise view.bad(f"shapes {list(x)} and {list(weights)} are not matrices")
    inner, out = weights[::-1] if transposed else weights
    if inner != x[1]:
        raise view.bad(f"weights {list(weights)} do not fit input {list(x)}")
    if view.has(2) and math.prod(view.shape(2)) != out:
        raise view.unsupported(f"bias of shape {list(view.shape(2))} for {out} outputs")
    inputs = (0, 1, 2) if view.has(2) else (0, 1)
    return Dense(transposed, alpha, beta), inputs, (x[0], out)


def _mat_mul(view: NodeView) -> Normalized:
    x, weights = view.shape(0), view.shape(1)
    if len(x) != 2 or len(weights) != 2:
        raise view.unsupported(
            f"shapes {list(x)} and {list(weights)}; supported is [1, in] by a matrix [in, out]"
        )
    if weights[0] != x[1]:
        raise view.bad(f"weights {list(weights)} do not fit input {list(x)}")
    return Dense(False), (0, 1), (x[0], weights[1])


def _arithmetic(kind: ArithmeticKind) -> Callable[[NodeView], Normalized]:
    def normalized(view: NodeView) -> Normalized:
        a, b = view.shape(0), view.shape(1)
        try:
            shape = np.broadcast_shapes(a, b)
        except ValueError:
            raise view.bad(f"shapes {list(a)} and {list(b)} do not broadcast") from None
        return Arithmetic(kind), (0, 1), tuple(int(d) for d in shape)

    return normalized


def _relu(view: NodeView) -> Normalized:
    return Clamp(0.0, math.inf), (0,), view.shape(0)


def _clip(view: NodeView) -> Normalized:
    low, high = view.real("min", -math.inf), view.real("max", math.inf)
    low = view.constant_real(1) if view.has(1) else low
    high = view.constant_real(2) if view.has(2) else high
    if low >= high:
        raise view.bad(f"bounds {low} and {high}")
    return Clamp(low, high), (0,), view.shape(0)


def _sigmoid(view: NodeView) -> Normalized:
    return Sigmoid(), (0,), view.shape(0)


def _softmax(view: NodeView) -> Normalized:
    x = view.shape(0)
    axis = view.axis(view.integer("axis", -1 if view.opset >= 13 else 1), len(x))
    if view.opset < 13:  # defined over all dimensions from the axis on
        wide = [i for i in range(axis, len(x)) if x[i] > 1]
        if len(wide) > 1:
            raise view.unsupported(f"softmax over several dimensions of {list(x)}")
        axis = wide[0] if wide else axis
    return SoftmaxAlong(axis), (0,), x


def _flatten(view: NodeView) -> Normalized:
    x = view.shape(0)
    axis = view.integer("axis", 1)
    axis = len(x) if axis == len(x) else view.axis(axis, len(x))
    shape = (math.prod(x[:axis]), math.prod(x[axis:]))
    return Reshaping(shape), (0,), shape


def _reshape(view: NodeView) -> Normalized:
    x = view.shape(0)
    target = list(view.integers("shape") or view.constant_integers(1))
    if not view.integer("allowzero", 0):
        target = [x[i] if d == 0 and i < len(x) else d for i, d in enumerate(target)]
    if target.count(-1) == 1:
        known = math.prod(d for d in target if d != -1)
        if known < 1 or math.prod(x) % known:
            raise view.bad(f"{list(x)} cannot become {target}")
        target[target.index(-1)] = math.prod(x) // known
    if any(d < 1 for d in target) or math.prod(target) != math.prod(x):
        raise view.bad(f"{list(x)} cannot become {target}")
    return Reshaping(tuple(target)), (0,), tuple(target)


def _axes(view: NodeView) -> tuple[int, ...] | None:
    axes = view.integers("axes")
    return view.constant_integers(1) if axes is None and view.has(1) else axes


def _squeeze(view: NodeView) -> Normalized:
    x, axes = view.shape(0), _axes(view)
    gone = [i for i, d in enumerate(x) if d == 1] if axes is None else axes
    removed = {view.axis(a, len(x)) for a in gone}
    if any(x[i] != 1 for i in removed):
        raise view.bad(f"axes {sorted(removed)} of {list(x)} are not of size 1")
    shape = tuple(d for i, d in enumerate(x) if i not in removed)
    return Reshaping(shape), (0,), shape


def _unsqueeze(view: NodeView) -> Normalized:
    x, axes = view.shape(0), _axes(view)
    if not axes or len(axes) > 8:
        raise view.bad(f"axes {axes}")
    rank = len(x) + len(axes)
    added = {view.axis(a, rank) for a in axes}
    if len(added) != len(axes):
        raise view.bad(f"axes {axes} repeat")
    rest = iter(x)
    shape = tuple(1 if i in added else next(rest) for i in range(rank))
    return Reshaping(shape), (0,), shape


def _transpose(view: NodeView) -> Normalized:
    x = view.shape(0)
    order = view.integers("perm") or tuple(reversed(range(len(x))))
    if sorted(order) != list(range(len(x))):
        raise view.bad(f"perm {order} of {len(x)} dimensions")
    return Permutation(order), (0,), tuple(x[i] for i in order)


def _concat(view: NodeView) -> Normalized:
    shapes = [view.shape(i) for i in range(len(view.node.inputs))]
    if not shapes or any(len(s) != len(shapes[0]) for s in shapes):
        raise view.bad(f"shapes {[list(s) for s in shapes]}")
    axis = view.axis(view.integer("axis", 1), len(shapes[0]))
    rest = {s[:axis] + s[axis + 1 :] for s in shapes}
    if len(rest) != 1:
        raise view.bad(f"shapes {[list(s) for s in shapes]} along axis {axis}")
    total = sum(s[axis] for s in shapes)
    shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
    return Concatenate(axis), tuple(range(len(shapes))), shape


def _pad(view: NodeView) -> Normalized:
    x = view.shape(0)
    rank = len(x)
    if (mode := view.text("mode", "constant")) != "constant":
        raise view.unsupported(f"mode {mode!r}; supported is 'constant'")
    listed = view.integers("pads")
    pads = view.constant_integers(1) if listed is None else listed
    value = view.constant_real(2) if view.has(2) else view.real("value", 0.0)
    axes = view.constant_integers(3) if view.has(3) else tuple(range(rank))
    axes = tuple(view.axis(a, rank) for a in axes)
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise view.bad(f"pads {pads} for axes {axes}")
    if any(p < 0 for p in pads):
        raise view.unsupported(f"negative padding {pads}")
    full = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        full[axis] = (pads[i], pads[len(axes) + i])
    shape = tuple(d + b + a for d, (b, a) in zip(x, full, strict=True))
    return Padding(tuple(full), value), (0,), shape


def _batch_normalization(view: NodeView) -> Normalized:
    x = view.shape(0)
    if view.integer("training_mode", 0) or not view.integer("spatial", 1):
        raise view.unsupported("only inference over channels is supported")
    for i in range(1, 5):
        if len(x) < 2 or view.constant(i).shape != (x[1],) or view.constant(i).dtype.kind != "f":
            raise view.bad(f"input {i} does not fit {list(x)}")
    operator = Normalization(view.real("epsilon", 1e-5), view.real("momentum", 0.9))
    if operator.epsilon < 0 or np.any(view.constant(4) + np.float32(operator.epsilon) <= 0):
        raise view.bad("a variance is not positive")
    return operator, (0, 1, 2, 3, 4), x


def _identity(view: NodeView) -> Normalized:
    return PassThrough(), (0,), view.shape(0)


def _dropout(view: NodeView) -> Normalized:
    view.integer("seed", 0)
    ratio = view.constant_real(1) if view.has(1) else view.real("ratio", 0.5)
    if view.has(2) and view.constant_real(2):
        raise view.unsupported("training_mode; export the model for inference")
    if not 0.0 <= ratio < 1.0:
        raise view.bad(f"ratio {ratio}")
    return PassThrough(ratio), (0,), view.shape(0)


def _linear_axis(view: NodeView) -> tuple[int, tuple[int, ...]]:
    x = view.shape(0)
    axis = view.integer("axis", 1)
    if view.integer("block_size", 0):
        raise view.unsupported("blocked quantization")
    for name in ("saturate", "output_dtype", "precision"):
        view.integer(name, 1 if name == "saturate" else 0)
    scale = view.constant(1)
    if scale.dtype != np.float32 or scale.ndim > 1 or np.any(scale <= 0):
        raise view.unsupported("the scale must be one positive float32, or one per channel")
    if view.has(2) and view.constant(2).size != scale.size:
        raise view.bad(f"{view.constant(2).size} zero points for {scale.size} scales")
    if scale.size == 1:
        return 0, (0, 1, 2) if view.has(2) else (0, 1)
    axis = view.axis(axis, len(x))
    if x[axis] != scale.size:
        raise view.bad(f"{scale.size} scales for axis {axis} of {list(x)}")
    return axis, (0, 1, 2) if view.has(2) else (0, 1)


def _quantize(view: NodeView) -> Normalized:
    axis, inputs = _linear_axis(view)
    return Quantizing(axis), inputs, view.shape(0)


def _dequantize(view: NodeView) -> Normalized:
    axis, inputs = _linear_axis(view)
    return Dequantizing(axis), inputs, view.shape(0)


NORMALIZERS: Mapping[str, Callable[[NodeView], Normalized]] = {
    "Add": _arithmetic(ArithmeticKind.ADD),
    "AveragePool": _pool,
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "Identity": _identity,
    "MatMul": _mat_mul,
    "MaxPool": _pool,
    "Mul": _arithmetic(ArithmeticKind.MUL),
    "Pad": _pad,
    "QuantizeLinear": _quantize,
    "ReduceMean": _reduce_mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
