"""When every product is computed, and when every result is in memory: exact, in cycles.

Mirrors `rtl/edgeflow_core.v`, whose comments name the stages. A layer may begin before the last
results of the one before it are written, as long as it reads no word too early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeflow.backends.fpga.layer import Feature, Layer, Mode
from edgeflow.graph.fixed_point import Int64Array

# From the last product of a block to the first cycle in which its word can be read, less a cycle
# for each lane: seven to the sums, three to the requantization, seven in it, two to the memory.
_TO_MEMORY = 19
# From the last product of a layer to the first one of the next, which waits for nothing else.
_BETWEEN_LAYERS = 5
_LEAST_WAIT = 5
# From the last byte of the input to the first product.
_TO_FIRST = 3
# From the last product to the answer's first byte, less a cycle for each lane.
_TO_ANSWER = 23


@dataclass(frozen=True)
class Timing:
    """A layer's cycles: from its first to its last product, and what it waits after the latter.

    `pause` cycles follow each block, so that its sums leave before the next ones come.
    """

    first: int
    last: int
    pause: int
    wait: int


@dataclass(frozen=True)
class Schedule:
    """All layers; `cycles` from the last byte of the input to the first one of the answer."""

    timings: tuple[Timing, ...]
    cycles: int


def schedule(
    layers: Sequence[Layer], features: Mapping[str, Feature], given: str, lanes: int
) -> Schedule:
    """The earliest exact schedule; cycle 0 is that of the first product."""
    written = {given: np.zeros(features[given].words(lanes), np.int64)}
    firsts: list[int] = []
    lasts: list[int] = []
    for index, layer in enumerate(layers):
        loops, pause = layer.loops, pause_of(layer, lanes)
        first = 0
        if index:
            room = lanes + 1 - _window_cycles(layer)
            first = lasts[-1] + _BETWEEN_LAYERS + max(_LEAST_WAIT, room)
            for name, offsets in _first_reads(layer, features, lanes).items():
                read = offsets >= 0
                first = max(first, int((written[name] - offsets)[read].max(initial=0)))
        period = _window_cycles(layer) + pause
        ends = first + (np.arange(loops.rows * loops.columns * loops.blocks) + 1) * period
        written[layer.output] = ends - pause - 1 + lanes + _TO_MEMORY
        firsts.append(first)
        lasts.append(int(ends[-1]) - pause - 1)
    waits = [
        after - last - _BETWEEN_LAYERS
        for last, after in zip(lasts, [*firsts[1:], None], strict=True)
        if after is not None
    ]
    timings = tuple(
        Timing(first, last, pause_of(layer, lanes), wait)
        for layer, first, last, wait in zip(layers, firsts, lasts, [*waits, 0], strict=True)
    )
    return Schedule(timings, _TO_FIRST + lasts[-1] + lanes + _TO_ANSWER)


def _window_cycles(layer: Layer) -> int:
    """Of a block without its pause; a table of two operands reads both."""
    return layer.loops.products * len(layer.inputs)


def pause_of(layer: Layer, lanes: int) -> int:
    """Cycles after a block, so that its sums are gone when the next ones come."""
    return max(0, lanes - _window_cycles(layer))


def _first_reads(
    layer: Layer, features: Mapping[str, Feature], lanes: int
) -> dict[str, Int64Array]:
    """Cycles from a layer's first product until each word is first read; -1 where it never is."""
    loops = layer.loops
    feature = features[layer.inputs[0]]
    words = -(-feature.channels // lanes)
    blockwise = layer.mode is not Mode.BROADCAST
    period = _window_cycles(layer) + pause_of(layer, lanes)
    row, column, y, x, word = np.ogrid[
        : loops.rows, : loops.columns, : loops.window_rows, : loops.window_columns, :words
    ]
    place_y = row * loops.row_step + y * loops.row_dilation - loops.pad_top
    place_x = column * loops.column_step + x * loops.column_dilation - loops.pad_left
    pixel = (row * loops.columns + column) * loops.blocks * period
    within = (y * loops.window_columns + x) * (1 if blockwise else loops.channels)
    times = pixel + within + word * (period if blockwise else lanes)
    inside = (place_y >= 0) & (place_y < feature.height)
    inside = inside & (place_x >= 0) & (place_x < feature.width)
    places = (place_y * feature.width + place_x) * words + word
    inside, times, places = np.broadcast_arrays(inside, times, places)
    far = np.iinfo(np.int64).max
    found = np.full(feature.words(lanes), far, np.int64)
    np.minimum.at(found, places[inside], times[inside])
    first = np.where(found == far, -1, found)
    # A second operand is read a cycle later.
    reads: dict[str, Int64Array] = {}
    for index, name in enumerate(layer.inputs):
        reads.setdefault(name, np.where(first < 0, -1, first + index))
    return reads
