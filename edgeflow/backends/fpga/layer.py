"""What the accelerator does for one layer, and for a whole network: values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.fpga.exact_steps import Scaling, Steps
from edgeflow.graph.fixed_point import Int64Array


class Mode(IntEnum):
    """What lanes do with the values that they get."""

    BROADCAST = 0
    """All lanes multiply one input channel by weights of their own output channel."""
    LANEWISE = 1
    """Each lane multiplies its own channel."""
    LARGEST = 2
    """Each lane keeps the largest value of its own channel."""
    TABLE = 3
    """Each lane keeps bytes; their entries in two tables are added."""


@dataclass(frozen=True)
class Loops:
    """Iterations of a layer, outermost first, and the window's place in the image.

    For every output row and column and every block of lanes, the window's rows and columns and the
    input channels run; one product a lane and cycle. Steps and padding are in input pixels.
    """

    rows: int
    columns: int
    blocks: int
    window_rows: int
    window_columns: int
    channels: int
    row_step: int = 1
    column_step: int = 1
    row_dilation: int = 1
    column_dilation: int = 1
    pad_top: int = 0
    pad_left: int = 0

    @property
    def products(self) -> int:
        """Of a lane for one output."""
        return self.window_rows * self.window_columns * self.channels


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: what it reads and writes by tensor names, its loops, its constants.

    `weights` is int8 [words, lanes] in the order in which words are used, None where all are 1.
    `steps` are those of its output channels, or of one for all. `tables` are two rows of 256 sums,
    by input + 128. Sums, partial ones too, have `sum_bits` with their sign.
    `useful_macs` are products of the network that no padding adds.
    """

    name: str
    kind: str
    mode: Mode
    inputs: tuple[str, ...]
    output: str
    loops: Loops
    input_height: int
    input_width: int
    input_zero_point: int
    output_zero_point: int
    minimum: int
    maximum: int
    weights: NDArray[np.int8] | None
    steps: Steps
    tables: Int64Array | None
    sum_bits: int
    useful_macs: int


@dataclass(frozen=True)
class Feature:
    """A feature map as stored: pixels of whole words, a word of `lanes` channels."""

    height: int
    width: int
    channels: int

    def words(self, lanes: int) -> int:
        """It occupies."""
        return self.height * self.width * -(-self.channels // lanes)


@dataclass(frozen=True, eq=False)
class Network:
    """All layers with where their feature maps lie, in words of `lanes` bytes.

    `answer` is the tensor that leaves the accelerator: the graph's output, or what a final softmax
    takes, which is left to the host. `scalings` are those of the layers, for one shift.
    """

    lanes: int
    layers: tuple[Layer, ...]
    shift: int
    scalings: tuple[Scaling, ...]
    features: dict[str, Feature]
    places: dict[str, int]
    memory_words: int
    given: str
    answer: str
