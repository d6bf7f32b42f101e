"""Products with a constant matrix as shared additions, through da4ml.

Sun, Que, Loncar, Luk, Spiropulu: da4ml, Distributed Arithmetic for Real-time Neural Networks on
FPGAs, ACM TRETS 2025, arXiv 2507.04535.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeflow.backends.fpga.spatial.flow import Flow
from edgeflow.errors import MissingToolError
from edgeflow.graph.fixed_point import Int64Array


@dataclass(frozen=True)
class Term:
    """(-1)**negative * value << shift; no value stands for zero."""

    value: int | None
    shift: int = 0
    negative: bool = False


def signed_digits(number: int) -> tuple[tuple[int, int], ...]:
    """The canonical signed digits of a number: (sign, exponent) with fewest terms."""
    found = []
    exponent = 0
    while number:
        if number & 1:
            sign = 2 - (number & 3)
            found.append((sign, exponent))
            number -= sign
        number >>= 1
        exponent += 1
    return tuple(found)


def digits(weights: Int64Array) -> int:
    """Signed digits of all weights together: terms before any is shared."""
    numbers, counts = np.unique(np.abs(weights), return_counts=True)
    pairs = zip(numbers, counts, strict=True)
    return sum(len(signed_digits(int(number))) * int(count) for number, count in pairs)


def products(flow: Flow, inputs: Sequence[int], weights: Int64Array) -> list[Term]:
    """`weights` [inputs, outputs] by the values `inputs`: a term for each output.

    Raises MissingToolError without da4ml.
    """
    ranges = [(flow.values[n].low, flow.values[n].high) for n in inputs]
    exact = [(float(low), float(high), 1.0) for low, high in ranges]
    solution = _solve(weights, exact, [float(flow.values[n].level) for n in inputs])
    terms = [Term(n) for n in inputs]
    for stage in solution.solutions:
        terms = _stage(flow, stage, terms)
    return terms


def _solve(
    weights: Int64Array, ranges: list[tuple[float, float, float]], levels: list[float]
) -> Any:
    try:
        from da4ml.cmvm import solve
    except ImportError as error:
        raise MissingToolError(
            "da4ml is not installed, which shares the additions of the spatial style.",
            hint="Install it: pip install 'edgeflow[fpga]'.",
        ) from error
    return solve(
        np.ascontiguousarray(weights, np.float32),
        qintervals=ranges,
        latencies=levels,
        adder_size=1,
        carry_size=-1,
    )


def _stage(flow: Flow, stage: Any, given: list[Term]) -> list[Term]:
    """One of da4ml's lists of additions; its numbers are reals, a term's shift says their unit."""
    found: list[Term] = []
    for operation in stage.ops:
        match operation.opcode:
            case -1:
                term = given[operation.id0]
                shift = term.shift + int(stage.inp_shifts[operation.id0])
                found.append(Term(term.value, shift, term.negative))
            case 0 | 1:
                right = found[operation.id1]
                moved = Term(
                    right.value,
                    right.shift + int(operation.data),
                    right.negative != (operation.opcode == 1),
                )
                found.append(added(flow, found[operation.id0], moved))
            case other:
                raise AssertionError(f"da4ml gave operation {other}")
    outputs = zip(stage.out_idxs, stage.out_shifts, stage.out_negs, strict=True)
    return [
        Term(None)
        if index < 0
        else Term(
            found[index].value,
            found[index].shift + int(shift),
            found[index].negative != bool(negative),
        )
        for index, shift, negative in outputs
    ]


def added(flow: Flow, left: Term, right: Term) -> Term:
    """The sum of two terms; of two negative ones the negative sum."""
    if left.value is None or right.value is None:
        return left if right.value is None else right
    if left.negative and not right.negative:
        left, right = right, left
    unit = min(left.shift, right.shift)
    value = flow.sum(
        left.value,
        right.value,
        left.shift - unit,
        right.shift - unit,
        subtract=left.negative != right.negative,
    )
    return Term(value, unit, left.negative)


def total(flow: Flow, terms: Sequence[Term]) -> Term:
    """The sum of terms, those of lowest level first, so that few levels lie over another."""
    left = list(terms)
    if not left:
        return Term(None)

    def level(term: Term) -> int:
        return 0 if term.value is None else flow.values[term.value].level

    while len(left) > 1:
        left.sort(key=level, reverse=True)
        first, second = left.pop(), left.pop()
        left.append(added(flow, first, second))
    return left[0]
