"""Weights in blocks of output channels, in the order in which kernels read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.wide_c.image import WORD_BYTES, Image

LANES = 16
_MOST_VECTORS = 4


@dataclass(frozen=True)
class Blocks:
    """Output channels in blocks of some vectors of sixteen; the last ones may be padding."""

    count: int
    vectors: int

    @property
    def outputs(self) -> int:
        """Channels of a block."""
        return self.vectors * LANES


def blocks_of(outputs: int) -> Blocks:
    """The fewest blocks, of as few vectors as hold the channels."""
    vectors = -(-outputs // LANES)
    count = -(-vectors // _MOST_VECTORS)
    return Blocks(count, -(-vectors // count))


def arranged(rows: NDArray[np.int8], image: Image, blocks: Blocks) -> NDArray[np.int8]:
    """Weights [outputs, taps] as [block][filter row][word][output][byte], flat."""
    outputs = len(rows)
    padded = np.pad(
        rows.reshape(outputs, image.filter_rows, image.filter_row_bytes),
        (
            (0, blocks.count * blocks.outputs - outputs),
            (0, 0),
            (0, image.filter_words * WORD_BYTES - image.filter_row_bytes),
        ),
    )
    shape = (blocks.count, blocks.outputs, image.filter_rows, image.filter_words, WORD_BYTES)
    return padded.reshape(shape).transpose(0, 2, 3, 1, 4).reshape(-1)
