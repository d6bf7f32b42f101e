"""How TensorFlow Lite Micro names the operators of the integer graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgeflow.backends.tflm.checkout import MICRO, Checkout
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.exchange.tflite_file import parse
from edgeflow.graph.ir import OpKind


@dataclass(frozen=True)
class TflmOperator:
    """`add` is the resolver's method, `stem` names the kernel's sources and its header."""

    add: str
    stem: str


OPERATORS: Mapping[OpKind, TflmOperator] = MappingProxyType(
    {
        OpKind.CONV_2D: TflmOperator("AddConv2D", "conv"),
        OpKind.DEPTHWISE_CONV_2D: TflmOperator("AddDepthwiseConv2D", "depthwise_conv"),
        OpKind.FULLY_CONNECTED: TflmOperator("AddFullyConnected", "fully_connected"),
        OpKind.ADD: TflmOperator("AddAdd", "add"),
        OpKind.MUL: TflmOperator("AddMul", "mul"),
        OpKind.AVERAGE_POOL_2D: TflmOperator("AddAveragePool2D", "pooling"),
        OpKind.MAX_POOL_2D: TflmOperator("AddMaxPool2D", "pooling"),
        OpKind.MEAN: TflmOperator("AddMean", "reduce"),
        OpKind.PAD: TflmOperator("AddPad", "pad"),
        OpKind.RESHAPE: TflmOperator("AddReshape", "reshape"),
        OpKind.CONCATENATION: TflmOperator("AddConcatenation", "concatenation"),
        OpKind.SOFTMAX: TflmOperator("AddSoftmax", "softmax"),
        OpKind.RELU: TflmOperator("AddRelu", "activations"),
        OpKind.RELU6: TflmOperator("AddRelu6", "activations"),
        OpKind.LOGISTIC: TflmOperator("AddLogistic", "logistic"),
        OpKind.QUANTIZE: TflmOperator("AddQuantize", "quantize"),
    }
)


@dataclass(frozen=True)
class Registration:
    """One operator of a resolver; `function` registers its INT8 kernel, "" takes the default."""

    add: str
    function: str
    header: str


@dataclass(frozen=True)
class FileOperator:
    """One operator of a `.tflite` file: what it is, and the name of the tensor that it writes."""

    kind: OpKind
    output: str


def file_operators(model: bytes) -> tuple[FileOperator, ...]:
    """The operators of a `.tflite` file in their order, folded ones (PAD) included.

    Raises ModelError for a damaged file, UnsupportedOperatorError for what is not known of TFLM.
    """
    raw = parse(model)
    for operator in raw.operators:
        if operator.kind == OpKind.CONV_2D:
            x, weights = (raw.tensors[index].shape for index in operator.inputs[:2])
            if x[-1] != weights[-1]:
                raise UnsupportedOperatorError(
                    f"the engine tflm does not run {operator.label}: a CONV_2D in groups",
                    hint="make the convolution ordinary or depthwise",
                )
    return tuple(
        FileOperator(_known(operator.kind), raw.tensors[operator.outputs[0]].name)
        for operator in raw.operators
    )


def _known(kind: str) -> OpKind:
    if kind not in OPERATORS:
        raise UnsupportedOperatorError(
            f"the engine tflm does not run {kind}",
            hint=f"operators there: {', '.join(sorted(OPERATORS))}",
        )
    return OpKind(kind)


def kinds(operators: Iterable[FileOperator]) -> tuple[OpKind, ...]:
    """The kinds of operators, each once, in the order of their first use."""
    return tuple(dict.fromkeys(operator.kind for operator in operators))


def registrations(wanted: Iterable[OpKind], checkout: Checkout) -> tuple[Registration, ...]:
    """The registrations of operators: those of INT8 kernels where the checkout has them."""
    return tuple(_registration(kind, checkout) for kind in wanted)


def _registration(kind: OpKind, checkout: Checkout) -> Registration:
    operator = OPERATORS[kind]
    header = f"{MICRO}/kernels/{operator.stem}.h"
    path = checkout.tflm / header
    function = f"Register_{kind.value}_INT8"
    if path.is_file() and f"{function}()" in path.read_text(encoding="utf-8", errors="replace"):
        return Registration(operator.add, f"tflite::{function}()", header)
    return Registration(operator.add, "", "")
