"""What a QDQ reader knows of an ONNX tensor: the integer tensor it stands for, and in which layout.

A Transpose makes no node: it only changes the layout, so pairs that cancel leave nothing behind. A
Flatten of [N, C, H, W] becomes a RESHAPE of [N, H, W, C] whose elements stand in another order; the
dense weights after it are permuted to match.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.onnx_model import Array
from edgeflow.exchange.onnx_operators import Step
from edgeflow.graph.ir import DType, Quantization

Shape = tuple[int, ...]
Order = NDArray[np.int64]

NCHW = (0, 3, 1, 2)


@dataclass(frozen=True, eq=False)
class Value:
    """An ONNX tensor that stands for integer tensor `tensor`, of shape `shape` in the graph.

    Dimension i of the ONNX tensor is dimension `axes[i]` of the integer tensor. With `order`, flat
    element i of the ONNX tensor is flat element `order[i]` of the integer tensor (axes are then in
    order). `codes` is the integer type between QuantizeLinear and DequantizeLinear, else None.
    """

    tensor: str
    shape: Shape
    quantization: Quantization
    axes: tuple[int, ...]
    order: Order | None = None
    codes: np.dtype[Any] | None = None

    @property
    def channels_last(self) -> bool:
        """Whether the ONNX tensor is NCHW and the integer tensor NHWC."""
        return self.axes == NCHW and self.order is None

    @property
    def plain(self) -> bool:
        """Whether both tensors have the same dimensions in the same order."""
        return self.axes == tuple(range(len(self.axes))) and self.order is None

    def permuted(self, order: tuple[int, ...]) -> Value:
        """The value behind a Transpose."""
        return replace(self, axes=tuple(self.axes[i] for i in order))

    def flat_order(self) -> Order | None:
        """Flat index in the integer tensor of each flat ONNX element; None where they agree."""
        if self.order is not None:
            return self.order
        wide = [axis for axis in self.axes if self.shape[axis] > 1]
        if wide == sorted(wide):
            return None
        indices = np.arange(int(np.prod(self.shape)), dtype=np.int64).reshape(self.shape)
        return indices.transpose(self.axes).reshape(-1)


@dataclass(frozen=True, eq=False)
class QuantizedConstant:
    """Integers of the file behind a DequantizeLinear: int8 (uint8 is shifted) or int32."""

    name: str
    codes: Array
    scales: NDArray[np.float32]
    zero_points: tuple[int, ...]
    axis: int | None

    def permuted(self, order: tuple[int, ...]) -> QuantizedConstant:
        """The constant behind a Transpose."""
        axis = None if self.axis is None else order.index(self.axis)
        return replace(self, codes=self.codes.transpose(order), axis=axis)

    def real(self) -> NDArray[np.float64]:
        """The real values."""
        shape = [1] * self.codes.ndim
        if self.axis is not None:
            shape[self.axis] = -1
        scales = self.scales.astype(np.float64).reshape(shape if self.axis is not None else ())
        zeros = np.array(self.zero_points).reshape(shape if self.axis is not None else ())
        return (self.codes.astype(np.float64) - zeros) * scales


def refuse(step: Step, reason: str, hint: str = "") -> UnsupportedOperatorError:
    """An operator in a form that the integer graph does not have."""
    return UnsupportedOperatorError(f"node {step.name!r} ({step.op_type}): {reason}", hint=hint)


def unquantized(step: Step, what: str) -> ModelError:
    """A tensor that has no integer parameters."""
    return ModelError(
        f"node {step.name!r} ({step.op_type}): {what} is not quantized; "
        "the integer graph needs its scale and zero point",
        hint="quantize that tensor too (QuantizeLinear and DequantizeLinear around it), "
        "or pass the float model and let edgeflow quantize it",
    )


def linear_parameters(
    step: Step, scale: Array, zero_point: Array | None, codes: np.dtype[Any]
) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """Scales and zero points of a Q or DQ as those of int8 (uint8 shifted by 128) or int32."""
    scales = scale.reshape(-1).astype(np.float32)
    if codes not in (np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int32)):
        raise refuse(step, f"integers of type {codes}; supported are int8 and uint8")
    zeros = np.zeros(scales.size, codes) if zero_point is None else zero_point.reshape(-1)
    if zeros.dtype != codes:
        raise ModelError(
            f"node {step.name!r} ({step.op_type}): zero point {zeros.dtype} for integers {codes}"
        )
    shift = 128 if codes == np.dtype(np.uint8) else 0
    return scales, tuple(int(z) - shift for z in zeros)


def as_int8(codes: Array) -> Array:
    """uint8 integers as int8; their zero points shift by 128 with them."""
    if codes.dtype == np.uint8:
        return (codes.astype(np.int16) - 128).astype(np.int8)
    return codes


def dtype_of(codes: Array) -> DType:
    """The graph's name for the element type of a constant."""
    return DType.INT32 if codes.dtype == np.int32 else DType.INT8


def activation_quantization(
    step: Step, scales: NDArray[np.float32], zero_points: tuple[int, ...]
) -> Quantization:
    """Parameters of an activation: one scale, one zero point."""
    if scales.size != 1:
        raise refuse(step, "an activation is quantized per channel; the integer graph takes one")
    return Quantization((float(scales[0]),), zero_points)
