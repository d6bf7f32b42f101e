"""A network in space: a copy of its layer's kernel at every place, and its tensors' times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.backends.fpga.layer import Feature, Layer, Mode
from edgeflow.backends.fpga.spatial.kernel import Form, Kernel
from edgeflow.backends.fpga.spatial.stages import Stages


@dataclass(frozen=True)
class Element:
    """A value of a tensor; no index stands for padding."""

    tensor: str
    index: int | None


@dataclass(frozen=True)
class Place:
    """A copy of a kernel: what it reads, and the first of the values that it gives."""

    inputs: tuple[Element, ...]
    first: int


@dataclass(frozen=True, eq=False)
class Part:
    """A layer in space: its inputs are there in cycle `time`, padding has the value `padding`."""

    layer: Layer
    kernel: Kernel
    stages: Stages
    places: tuple[Place, ...]
    time: int
    padding: int


@dataclass(frozen=True, eq=False)
class Arrangement:
    """All parts, in order. Tensors are there at `times`, in their `forms`.

    `given` is the input, `answer` the tensor that leaves.
    """

    parts: tuple[Part, ...]
    features: Mapping[str, Feature]
    forms: Mapping[str, Form]
    times: Mapping[str, int]
    given: str
    answer: str

    @property
    def cycles(self) -> int:
        """From the input to the answer."""
        return self.times[self.answer]


def size(feature: Feature) -> int:
    """Values of a feature map."""
    return feature.height * feature.width * feature.channels


def places_of(layer: Layer, source: Feature, result: Feature) -> tuple[Place, ...]:
    """The places of a layer, row by row."""
    if layer.mode is Mode.TABLE:
        return tuple(
            Place(tuple(Element(name, index) for name in layer.inputs), index)
            for index in range(size(result))
        )
    loops = layer.loops
    return tuple(
        Place(_window(layer, source, row, column), (row * loops.columns + column) * result.channels)
        for row in range(loops.rows)
        for column in range(loops.columns)
    )


def place_count(layer: Layer, result: Feature) -> int:
    """Copies of a layer's kernel."""
    if layer.mode is Mode.TABLE:
        return size(result)
    return layer.loops.rows * layer.loops.columns


def _window(layer: Layer, source: Feature, row: int, column: int) -> tuple[Element, ...]:
    loops = layer.loops
    found = []
    for window_row in range(loops.window_rows):
        y = row * loops.row_step + window_row * loops.row_dilation - loops.pad_top
        for window_column in range(loops.window_columns):
            x = column * loops.column_step + window_column * loops.column_dilation - loops.pad_left
            inside = 0 <= y < source.height and 0 <= x < source.width
            pixel = (y * source.width + x) * source.channels
            found += [
                Element(layer.inputs[0], pixel + channel if inside else None)
                for channel in range(source.channels)
            ]
    return tuple(found)
