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
    """(-1)**negative * value << shift."""

    value: int
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


def products(flow: Flow, inputs: Sequence[int], weights: Int64Array) -> list[Term | None]:
    """`weights` [inputs, outputs] by the values `inputs`: a term for each output, None for zero.

    Raises MissingToolError without da4ml.
    """
    ends = [flow.ends(n) for n in inputs]
    ranges = [(float(low), float(high), 1.0) for low, high in ends]
    solution = _solve(weights, ranges, [float(flow.level(n)) for n in inputs])
    terms: list[Term | None] = [Term(n) for n in inputs]
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


def _stage(flow: Flow, stage: Any, given: list[Term | None]) -> list[Term | None]:
    """One of da4ml's lists of additions; its numbers are reals, a term's shift says their unit."""
    found: list[Term | None] = []
    for operation in stage.ops:
        match operation.opcode:
            case -1:
                shift = int(stage.inp_shifts[operation.id0])
                found.append(_moved(given[operation.id0], shift, negative=False))
            case 0 | 1:
                right = _moved(
                    found[operation.id1], int(operation.data), negative=operation.opcode == 1
                )
                found.append(total(flow, [found[operation.id0], right]))
            case other:
                raise AssertionError(f"da4ml gave operation {other}")
    outputs = zip(stage.out_idxs, stage.out_shifts, stage.out_negs, strict=True)
    return [
        None if index < 0 else _moved(found[index], int(shift), negative=bool(negative))
        for index, shift, negative in outputs
    ]


def _moved(term: Term | None, shift: int, *, negative: bool) -> Term | None:
    return term and Term(term.value, term.shift + shift, term.negative != negative)


def total(flow: Flow, terms: Sequence[Term | None]) -> Term | None:
    """The sum of terms, those of lowest level first, so that few levels lie over another."""
    left = [term for term in terms if term is not None]
    while len(left) > 1:
        left.sort(key=lambda term: flow.level(term.value), reverse=True)
        second, first = left.pop(), left.pop()
        left.append(_added(flow, first, second))
    return left[0] if left else None


def _added(flow: Flow, left: Term, right: Term) -> Term:
    """The sum of two terms; of two negative ones the negative sum."""
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
