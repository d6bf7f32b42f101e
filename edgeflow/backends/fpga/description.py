"""A network as the numbers that the accelerator's Verilog is generated with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.fpga.layer import Layer, Mode, Network
from edgeflow.backends.fpga.schedule import Schedule, Timing


@dataclass(frozen=True)
class Field:
    """A number of a layer's description; negative ones are stored modulo 2**bits."""

    name: str
    bits: int
    signed: bool = False


@dataclass(frozen=True, eq=False)
class Images:
    """Contents of the memories, a word an element, and where the parts of layers begin."""

    weights: tuple[int, ...]
    constants: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    weight_bases: tuple[int, ...]
    constant_bases: tuple[int, ...]
    table_numbers: tuple[int, ...]


@dataclass(frozen=True)
class Widths:
    """Bits of everything, found from the network: no wider than it needs."""

    address: int
    weight_address: int
    count: int
    place: int
    pause: int
    wait: int
    channel: int
    table: int
    table_value: int
    weight: int
    sum: int
    multiplier: int
    offset: int
    turn: int
    wide: int
    layer: int
    half: int


def widths(network: Network, schedule: Schedule, half: int) -> Widths:
    """The widths; hardware multipliers take `half` unsigned bits on each side."""
    layers, scalings = network.layers, network.scalings
    sums = max(*(layer.sum_bits for layer in layers), half + 2, 17)
    multiplier = max(half + 2, *(_bits(int(each.multipliers.max())) for each in scalings))
    offset = 1 + max(_bits(int(np.abs(each.offsets).max())) for each in scalings)
    turns = max(int(each.turns.max()) for each in scalings)
    tables = [layer.tables for layer in layers if layer.tables is not None]
    most = max(
        max(f.height for f in network.features.values()) + 1,
        max(f.width for f in network.features.values()) + 1,
        *((layer.loops.rows) * layer.loops.row_step + 64 for layer in layers),
        *((layer.loops.columns) * layer.loops.column_step + 64 for layer in layers),
    )
    counts = [
        n
        for layer in layers
        for n in (
            layer.loops.rows,
            layer.loops.columns,
            layer.loops.blocks,
            layer.loops.window_rows,
            layer.loops.window_columns,
            layer.loops.channels,
        )
    ]
    counts += [feature.channels for feature in network.features.values()]
    return Widths(
        address=_bits(network.memory_words - 1),
        weight_address=_bits(max(1, sum(_weight_words(layer) for layer in layers)) - 1),
        count=_bits(max(counts)),
        place=_bits(2 * most),
        pause=_bits(max(timing.pause for timing in schedule.timings)),
        wait=_bits(max(timing.wait for timing in schedule.timings)),
        channel=_bits(sum(len(each.offsets) + network.lanes for each in scalings)),
        table=_bits(max(0, len(tables) - 1)),
        table_value=1 + max((_bits(int(np.abs(each).max())) for each in tables), default=0),
        weight=max(2, *(_weight_bits(layer) for layer in layers)),
        sum=sums,
        multiplier=multiplier,
        offset=offset,
        turn=_bits(turns),
        wide=max(_product_bits(network) + 1, network.shift + 10),
        layer=_bits(len(layers)),
        half=half,
    )


def _bits(value: int) -> int:
    return max(1, value.bit_length())


def _weight_words(layer: Layer) -> int:
    return 0 if layer.weights is None else len(layer.weights)


def _weight_bits(layer: Layer) -> int:
    if layer.weights is None:
        return 2
    low, high = int(layer.weights.min()), int(layer.weights.max())
    return 1 + max(_bits(high), _bits(-low - 1) if low < 0 else 0)


def _product_bits(network: Network) -> int:
    """Of multiplier * sum + offset at its extremes, with its sign."""
    most = 0
    for layer, each in zip(network.layers, network.scalings, strict=True):
        for bound in (layer.steps.low, layer.steps.high):
            most = max(most, int(np.abs(each.multipliers * bound + each.offsets).max()))
        # Lanes beyond the last channel see other sums.
        most = max(most, int(each.multipliers.max()) << (layer.sum_bits - 1))
    return 1 + _bits(most)


def images(network: Network, found: Widths) -> Images:
    """The contents of all memories."""
    weights: list[int] = []
    constants: list[int] = []
    left: list[int] = []
    right: list[int] = []
    bases: list[tuple[int, int, int]] = []
    for layer, scaling in zip(network.layers, network.scalings, strict=True):
        bases.append((len(weights), len(constants), len(left) // 256))
        if layer.weights is not None:
            weights += packed(layer.weights.astype(np.int64), found.weight)
        rows = np.stack([scaling.multipliers, scaling.offsets, scaling.turns], axis=1)
        constants += [_constants(row, found) for row in rows.tolist()]
        if layer.tables is not None:
            mask = (1 << found.table_value) - 1
            left += [int(value) & mask for value in layer.tables[0]]
            right += [int(value) & mask for value in layer.tables[1]]
        else:
            # The last block's lanes beyond the last channel.
            constants += [0] * (-len(rows) % network.lanes)
    first, second, third = zip(*bases, strict=True)
    return Images(
        tuple(weights or [0]), tuple(constants), tuple(left), tuple(right), first, second, third
    )


def packed(rows: NDArray[np.int64], bits: int) -> list[int]:
    """Rows of signed numbers as words, the first number lowest."""
    words = []
    mask = (1 << bits) - 1
    for row in rows.tolist():
        word = 0
        for place, value in enumerate(row):
            word |= (value & mask) << (bits * place)
        words.append(word)
    return words


def _constants(row: list[int], found: Widths) -> int:
    multiplier, offset, turn = row
    low = multiplier | ((offset & ((1 << found.offset) - 1)) << found.multiplier)
    return low | (turn << (found.multiplier + found.offset))


def fields(found: Widths) -> tuple[Field, ...]:
    """A layer's description, lowest bits first."""
    address = [
        Field(name, found.address)
        for name in (
            "base",
            "next_row",
            "next_column",
            "next_block",
            "next_window_row",
            "next_window_column",
            "result",
        )
    ]
    counts = [
        Field(name, found.count)
        for name in ("rows", "columns", "blocks", "window_rows", "window_columns", "channels")
    ]
    places = [
        Field(name, found.place)
        for name in (
            "first_y",
            "first_x",
            "height",
            "width",
            "y_next_row",
            "y_same_row",
            "y_next_window_row",
            "x_next_row",
            "x_next_column",
            "x_same_column",
            "x_next_window_column",
        )
    ]
    others = [
        Field("weight_base", found.weight_address),
        Field("channel_base", found.channel),
        Field("table_number", found.table),
        Field("pause", found.pause),
        Field("wait", found.wait),
        Field("mode", 2),
        Field("broadcast", 1),
        Field("unit", 1),
        Field("table", 1),
        Field("input_zero_point", 8, signed=True),
        Field("zero_point", 8, signed=True),
        Field("minimum", 8, signed=True),
        Field("maximum", 8, signed=True),
    ]
    return (*address, *counts, *places, *others)


def values(
    network: Network, layer: Layer, timing: Timing, bases: tuple[int, int, int]
) -> dict[str, int]:
    """The numbers of one layer, by field."""
    loops, lanes = layer.loops, network.lanes
    feature = network.features[layer.inputs[0]]
    words = -(-feature.channels // lanes)
    line = feature.width * words
    # Words that the loops inside have gone through when a loop goes on.
    walked = (loops.channels - 1) // lanes if layer.mode is Mode.BROADCAST else 0
    across = (loops.window_columns - 1) * loops.column_dilation
    down = (loops.window_rows - 1) * loops.row_dilation
    window_column = loops.column_dilation * words
    in_window = down * line + across * words + walked
    blocks = loops.blocks - 1
    # Blocks read the same words where all lanes get one channel, else the next ones.
    per_block = 0 if layer.mode is Mode.BROADCAST else 1
    next_block = per_block - in_window
    if len(layer.inputs) == 2:
        # The second operand is the window's other column.
        window_column = network.places[layer.inputs[1]] - network.places[layer.inputs[0]]
        in_window = window_column
        next_block = 1 - window_column
    begun = blocks * per_block
    back = loops.column_step * (loops.columns - 1)
    top, start = loops.pad_top, loops.pad_left
    return {
        "base": network.places[layer.inputs[0]] - top * line - start * words,
        "next_window_column": window_column - walked,
        "next_window_row": loops.row_dilation * line - across * words - walked,
        "next_block": next_block,
        "next_column": loops.column_step * words - begun - in_window,
        "next_row": loops.row_step * line - back * words - begun - in_window,
        "result": network.places[layer.output],
        "rows": loops.rows - 1,
        "columns": loops.columns - 1,
        "blocks": blocks,
        "window_rows": loops.window_rows - 1,
        "window_columns": loops.window_columns - 1 + len(layer.inputs) - 1,
        "channels": loops.channels - 1,
        "first_y": -top,
        "first_x": -start,
        "height": layer.input_height,
        "width": layer.input_width,
        "y_next_row": loops.row_step - down,
        "y_same_row": -down,
        "y_next_window_row": loops.row_dilation,
        "x_next_row": -back - across,
        "x_next_column": loops.column_step - across,
        "x_same_column": -across,
        "x_next_window_column": loops.column_dilation if len(layer.inputs) == 1 else 0,
        "weight_base": bases[0],
        "channel_base": bases[1],
        "table_number": bases[2],
        "pause": timing.pause,
        "wait": timing.wait,
        "mode": int(layer.mode),
        "broadcast": int(layer.mode is Mode.BROADCAST),
        "unit": int(layer.weights is None),
        "table": int(layer.mode is Mode.TABLE),
        "input_zero_point": layer.input_zero_point,
        "zero_point": layer.output_zero_point,
        "minimum": layer.minimum,
        "maximum": layer.maximum,
    }
