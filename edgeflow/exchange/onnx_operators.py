"""The ONNX operators that edgeflow reads, as typed values with every attribute resolved.

`Flow` is what both ONNX readers work on: steps in order, constants folded, every shape known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from edgeflow.exchange.onnx_model import Array, RawInput
from edgeflow.graph.ir import Window


class PoolKind(StrEnum):
    """What a pooling window computes."""

    MAX = "max"
    AVERAGE = "average"


class ArithmeticKind(StrEnum):
    """Elementwise operators of two inputs."""

    ADD = "add"
    MUL = "mul"


@dataclass(frozen=True)
class Convolution:
    """Conv: inputs (x NCHW, weights OIHW, bias or nothing)."""

    window: Window
    groups: int


@dataclass(frozen=True)
class Dense:
    """Gemm and MatMul by a matrix: inputs (x [1, in], weights, bias or nothing).

    The weights are [out, in] when `weights_transposed`, else [in, out].
    """

    weights_transposed: bool
    weights_factor: float = 1.0
    bias_factor: float = 1.0


@dataclass(frozen=True)
class Arithmetic:
    """Add and Mul with numpy broadcasting."""

    kind: ArithmeticKind


@dataclass(frozen=True)
class Pooling:
    """MaxPool and AveragePool; ceil mode is already part of the window's padding."""

    kind: PoolKind
    kernel_h: int
    kernel_w: int
    window: Window
    counts_padding: bool = False


@dataclass(frozen=True)
class ReduceMean:
    """ReduceMean and GlobalAveragePool over `axes` of the ONNX tensor."""

    axes: tuple[int, ...]
    keep_dims: bool


@dataclass(frozen=True)
class Padding:
    """Pad with a constant: (before, after) for each dimension of the ONNX tensor."""

    pads: tuple[tuple[int, int], ...]
    value: float


@dataclass(frozen=True)
class Reshaping:
    """Reshape, Flatten, Squeeze, Unsqueeze: the shape with a batch of 1."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Permutation:
    """Transpose: dimension i of the output is dimension `order[i]` of the input."""

    order: tuple[int, ...]


@dataclass(frozen=True)
class Concatenate:
    """Concat along `axis` of the ONNX tensors."""

    axis: int


@dataclass(frozen=True)
class SoftmaxAlong:
    """Softmax along `axis` of the ONNX tensor."""

    axis: int


@dataclass(frozen=True)
class Sigmoid:
    """Sigmoid."""


@dataclass(frozen=True)
class Clamp:
    """Relu (0, inf) and Clip."""

    low: float
    high: float


@dataclass(frozen=True)
class Normalization:
    """BatchNormalization: inputs (x, scale, shift, mean, variance); `momentum` as in ONNX."""

    epsilon: float
    momentum: float


@dataclass(frozen=True)
class PassThrough:
    """Identity, and Dropout with its ratio."""

    dropout: float = 0.0


@dataclass(frozen=True)
class Quantizing:
    """QuantizeLinear: inputs (x, scale, zero point or nothing); `axis` of per-channel scales."""

    axis: int


@dataclass(frozen=True)
class Dequantizing:
    """DequantizeLinear: inputs (x, scale, zero point or nothing)."""

    axis: int


Operator = (
    Convolution
    | Dense
    | Arithmetic
    | Pooling
    | ReduceMean
    | Padding
    | Reshaping
    | Permutation
    | Concatenate
    | SoftmaxAlong
    | Sigmoid
    | Clamp
    | Normalization
    | PassThrough
    | Quantizing
    | Dequantizing
)


@dataclass(frozen=True, eq=False)
class Step:
    """One operator of the flow. Inputs are tensors, some of them constants; one output."""

    name: str
    op_type: str
    operator: Operator
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, eq=False)
class Flow:
    """A model with folded constants: every tensor has a shape (batch 1), dead steps are gone.

    `narrow` has the bits of the constants that the file holds as int4 or int2.
    """

    name: str
    steps: tuple[Step, ...]
    constants: Mapping[str, Array]
    narrow: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    inputs: tuple[RawInput, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str]

    def consumers(self) -> dict[str, list[Step]]:
        """The steps that read each tensor."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            for name in dict.fromkeys(step.inputs):
                found.setdefault(name, []).append(step)
        return found
