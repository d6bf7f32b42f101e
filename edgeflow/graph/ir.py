"""The integer graph: frozen values, no behaviour.

Activations are NHWC with a batch of 1 in the graph's shapes. Weights are laid out as in TensorFlow
Lite: convolution OHWI, depthwise 1HWC (C = input channels x multiplier), dense [out, in]. The real
value is scale * (integer - zero_point). Arithmetic is that of TensorFlow Lite's reference kernels;
the interpreter in this room is its definition here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class OpKind(StrEnum):
    """The operators of the integer graph, named as in TensorFlow Lite."""

    CONV_2D = "CONV_2D"
    DEPTHWISE_CONV_2D = "DEPTHWISE_CONV_2D"
    FULLY_CONNECTED = "FULLY_CONNECTED"
    ADD = "ADD"
    MUL = "MUL"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"
    MAX_POOL_2D = "MAX_POOL_2D"
    MEAN = "MEAN"
    PAD = "PAD"
    RESHAPE = "RESHAPE"
    CONCATENATION = "CONCATENATION"
    SOFTMAX = "SOFTMAX"
    RELU = "RELU"
    RELU6 = "RELU6"
    LOGISTIC = "LOGISTIC"
    QUANTIZE = "QUANTIZE"  # int8 to int8 with other parameters


class DType(StrEnum):
    """Element types. Narrow weights are stored one to an int8 element and packed by a backend."""

    INT8 = "int8"
    INT32 = "int32"


class Activation(StrEnum):
    """Activations that fuse into the operator before them."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"


@dataclass(frozen=True)
class Quantization:
    """Scales are float32 values held as Python floats; one entry, or one per index of `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph; `data` is set exactly when it is a constant.

    `bits` is the number of significant bits of a constant's elements (8 unless they are narrower).
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None
    data: NDArray[np.int8] | NDArray[np.int32] | None = None
    bits: int = 8

    @property
    def is_constant(self) -> bool:
        """Whether the tensor's values are part of the model."""
        return self.data is not None


@dataclass(frozen=True)
class Window:
    """Kernel positions of convolutions and pooling; padding is explicit, in elements."""

    stride_h: int = 1
    stride_w: int = 1
    pad_top: int = 0
    pad_bottom: int = 0
    pad_left: int = 0
    pad_right: int = 0
    dilation_h: int = 1
    dilation_w: int = 1


@dataclass(frozen=True)
class Conv2D:
    """CONV_2D and DEPTHWISE_CONV_2D: inputs (x, weights, bias)."""

    window: Window
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class FullyConnected:
    """FULLY_CONNECTED: inputs (x [1, in], weights [out, in], bias [out]), output [1, out]."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Elementwise:
    """ADD and MUL: two inputs; equal shapes, or one of shape [1, 1, 1, C] or with one element."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Pool2D:
    """AVERAGE_POOL_2D and MAX_POOL_2D; input and output share scale and zero point."""

    kernel_h: int
    kernel_w: int
    window: Window
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Mean:
    """MEAN over `axes` (of the NHWC input, batch excluded)."""

    axes: tuple[int, ...]
    keep_dims: bool = False


@dataclass(frozen=True)
class Pad:
    """PAD with the zero point: (before, after) for each dimension of the input."""

    pads: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Concatenation:
    """CONCATENATION along `axis`; all inputs and the output share scale and zero point."""

    axis: int


@dataclass(frozen=True)
class Softmax:
    """SOFTMAX over the last axis; output scale 1/256, zero point -128."""

    beta: float = 1.0


@dataclass(frozen=True)
class NoAttributes:
    """RESHAPE, RELU, RELU6, LOGISTIC, QUANTIZE: the tensors' shapes and quantization say it all."""


Attributes = (
    Conv2D
    | FullyConnected
    | Elementwise
    | Pool2D
    | Mean
    | Pad
    | Concatenation
    | Softmax
    | NoAttributes
)


@dataclass(frozen=True)
class Node:
    """One operator. Inputs and outputs are tensor names; `name` is unique in the graph."""

    name: str
    kind: OpKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Attributes


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which they can run; every tensor by its name."""

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
