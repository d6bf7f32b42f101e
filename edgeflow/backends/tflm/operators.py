"""How TensorFlow Lite Micro names the operators of the integer graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgeflow.backends.tflm.checkout import MICRO, Checkout
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.ir import Graph, OpKind


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


def kinds(graph: Graph) -> tuple[OpKind, ...]:
    """The operators that a graph has, each once, in the order of their first use.

    Raises UnsupportedOperatorError for one that TFLM is not known to have.
    """
    found = tuple(dict.fromkeys(node.kind for node in graph.nodes))
    unknown = [kind for kind in found if kind not in OPERATORS]
    if unknown:
        raise UnsupportedOperatorError(
            f"the engine tflm does not run {unknown[0]}",
            hint=f"operators there: {', '.join(sorted(OPERATORS))}",
        )
    return found


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
