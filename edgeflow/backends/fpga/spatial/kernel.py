"""What logic computes for one place of a layer: its window's values in, its channels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeflow.backends.fpga.layer import Layer, Mode
from edgeflow.backends.fpga.spatial.constants import Requantization, simplest
from edgeflow.backends.fpga.spatial.flow import Flow, Value, bits_of
from edgeflow.backends.fpga.spatial.products import Term, products, signed_digits, total


@dataclass(frozen=True)
class Form:
    """How a tensor's values travel: less `zero`, from `low` to `high`."""

    zero: int
    low: int
    high: int

    @property
    def is_signed(self) -> bool:
        """Whether one can be below zero."""
        return self.low < 0

    @property
    def bits(self) -> int:
        """Of a value."""
        return bits_of(self.low, self.high)


@dataclass(frozen=True, eq=False)
class Kernel:
    """The logic of a place: `given` forms of its inputs, `outputs` numbers of its results.

    All results have the form `result`.
    """

    name: str
    given: tuple[Form, ...]
    values: tuple[Value, ...]
    outputs: tuple[int, ...]
    result: Form


def kernel_of(layer: Layer, forms: Sequence[Form], channels: int) -> Kernel:
    """The kernel of a layer of so many output channels.

    Inputs are the window's values, channels innermost; of a TABLE layer one channel of each
    operand, for one channel of the result.
    """
    match layer.mode:
        case Mode.BROADCAST:
            return _multiplied(layer, forms[0], channels)
        case Mode.LANEWISE:
            return _lanewise(layer, forms[0], channels)
        case Mode.LARGEST:
            return _largest(layer, forms[0], channels)
        case Mode.TABLE:
            return _table(layer, forms)


def result_of(layer: Layer) -> Form:
    """The form in which a layer's results travel."""
    zero = layer.output_zero_point
    return Form(zero, layer.minimum - zero, layer.maximum - zero)


def _finish(layer: Layer, given: Sequence[Form], flow: Flow, outputs: Sequence[int]) -> Kernel:
    return Kernel(layer.name, tuple(given), flow.values, tuple(outputs), result_of(layer))


def _multiplied(layer: Layer, form: Form, channels: int) -> Kernel:
    assert layer.weights is not None
    weights = layer.weights[:, :channels].astype(np.int64)
    given = [form] * len(weights)
    flow = Flow([(each.low, each.high) for each in given])
    terms = products(flow, range(len(given)), weights)
    moved = (form.zero - layer.input_zero_point) * weights.sum(axis=0)
    outputs = [
        _requantized(flow, layer, term, channel, int(moved[channel]))
        for channel, term in enumerate(terms)
    ]
    return _finish(layer, given, flow, outputs)


def _lanewise(layer: Layer, form: Form, channels: int) -> Kernel:
    window = layer.loops.products
    weights = (
        np.ones((window, channels), np.int64)
        if layer.weights is None
        else layer.weights[:, :channels].astype(np.int64)
    )
    given = [form] * (window * channels)
    flow = Flow([(each.low, each.high) for each in given])
    outputs = []
    for channel in range(channels):
        own = range(channel, window * channels, channels)
        (term,) = products(flow, own, weights[:, channel : channel + 1])
        moved = (form.zero - layer.input_zero_point) * int(weights[:, channel].sum())
        outputs.append(_requantized(flow, layer, term, channel, moved))
    return _finish(layer, given, flow, outputs)


def _largest(layer: Layer, form: Form, channels: int) -> Kernel:
    window = layer.loops.products
    given = [form] * (window * channels)
    flow = Flow([(each.low, each.high) for each in given])
    outputs = []
    for channel in range(channels):
        left = list(range(channel, window * channels, channels))
        while len(left) > 1:
            pairs = [flow.largest(a, b) for a, b in zip(left[::2], left[1::2], strict=False)]
            left = pairs + left[len(left) - len(left) % 2 :]
        moved = form.zero - layer.input_zero_point
        outputs.append(_requantized(flow, layer, Term(left[0]), channel, moved))
    return _finish(layer, given, flow, outputs)


def _table(layer: Layer, forms: Sequence[Form]) -> Kernel:
    assert layer.tables is not None
    flow = Flow([(form.low, form.high) for form in forms])
    # A single operand's entries lie in the second table.
    tables = layer.tables[-len(forms) :]
    entries: list[Term | None] = []
    for number, (form, table) in enumerate(zip(forms, tables, strict=True)):
        first = form.zero + 128
        row = table[first + form.low : first + form.high + 1]
        entries.append(Term(flow.entry(number, row.tolist())))
    term = total(flow, entries)
    return _finish(layer, forms, flow, [_requantized(flow, layer, term, 0, 0)])


def _requantized(flow: Flow, layer: Layer, term: Term | None, channel: int, moved: int) -> int:
    """The result of a channel's sum; `moved` is what the sum's inputs leave out."""
    steps = layer.steps
    channel = channel if steps.begins.shape[1] > 1 else 0
    constants = simplest(steps, channel)
    result = result_of(layer)
    if term is not None and not term.negative and term.shift == 0:
        low, high = int(steps.low[channel]) - moved, int(steps.high[channel]) - moved
        term = Term(flow.narrowed(term.value, low, high))
    number = _scaled(flow, term, constants, constants.offset + constants.multiplier * moved)
    if constants.turn is not None:
        bound = 1 << (constants.shift - 1)
        number = flow.turned(number, bound, 1 << constants.turn)
    number = flow.shifted(number, constants.shift)
    return flow.clamped(number, result.low, result.high)


def _scaled(flow: Flow, term: Term | None, constants: Requantization, offset: int) -> int:
    """multiplier * term + offset."""
    terms: list[Term | None] = [] if offset == 0 else [Term(flow.constant(offset))]
    if term is not None:
        terms += [
            Term(term.value, term.shift + exponent, term.negative != (sign < 0))
            for sign, exponent in signed_digits(constants.multiplier)
        ]
    found = total(flow, terms)
    if found is None:
        return flow.constant(0)
    if not found.negative and found.shift == 0:
        return found.value
    # 0 + or - the value in its place.
    zero = flow.constant(0)
    return flow.sum(zero, found.value, 0, found.shift, subtract=found.negative)
