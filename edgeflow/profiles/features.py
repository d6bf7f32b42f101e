"""What an operator's cost grows with, read from its signature."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeflow.errors import ProfileFileError

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Features:
    """Counts of one operator; an operator without weights has no products."""

    kind: str
    products: int
    gathered: int
    input_elements: int
    output_elements: int
    output_positions: int

    def terms(self) -> tuple[float, ...]:
        """What a linear model of the cost has coefficients for, a constant included."""
        if self.kind == "CONV_2D":
            return (self.products, self.gathered, self.output_elements, self.output_positions, 1.0)
        if self.kind == "DEPTHWISE_CONV_2D":
            return (self.products, self.output_elements, self.output_positions, 1.0)
        if self.kind == "FULLY_CONNECTED":
            return (self.products, self.output_elements, 1.0)
        return (self.input_elements, self.output_elements, 1.0)


def features(signature: str) -> Features:
    """The counts of the operator with that signature (`graph.cost.signature`).

    `gathered` are the inputs that all windows of a convolution read, once for all output channels.
    Raises ProfileFileError for a text that is no signature.
    """
    kind, *fields = signature.split()
    values = dict(field.partition("=")[::2] for field in fields)
    try:
        inputs = [_shape(operand) for operand in values["in"].split("+")]
        output = _shape(values["out"])
        kernel = _shape(values.get("kernel", "1x1"))
        groups = int(values.get("groups", "1"))
        per_group = output[-1] // groups
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise ProfileFileError(
            f"{signature!r} is no signature of an operator",
            hint="write rows with `edgeflow.graph.cost.signature`",
        ) from error
    positions = math.prod(output[:-1])
    gathered = positions * math.prod(kernel) * inputs[0][-1]
    per_channel = kind in ("CONV_2D", "FULLY_CONNECTED")
    times = per_group if per_channel else 1
    products = gathered * times if kind in _WEIGHTED else 0
    return Features(
        kind=kind,
        products=products,
        gathered=gathered,
        input_elements=sum(math.prod(shape) for shape in inputs),
        output_elements=math.prod(output),
        output_positions=positions,
    )


def _shape(text: str) -> tuple[int, ...]:
    if text.removeprefix("const:") == "scalar":
        return (1,)
    return tuple(int(size) for size in text.removeprefix("const:").split("x"))
