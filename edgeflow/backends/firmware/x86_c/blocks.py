"""How many pixels and channels a kernel computes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LANES = 16
_MOST_VECTORS = 4

VNNI_PIXELS: dict[int, Sequence[int]] = {
    1: (1, 2, 4, 8, 16),
    2: (1, 2, 4, 8, 12),
    3: (1, 2, 4, 8),
    4: (1, 2, 4, 5, 6),
}
"""Pixels that `edgeflow_vnni_blocks_*.c` have functions for, by vectors."""

AVX2_PIXELS: Sequence[int] = (1, 2, 3)
"""Pixels that `edgeflow_avx2_blocks.c` has functions for."""


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


def vnni_pixels(row: int, vectors: int) -> int:
    """Pixels at a time for rows of so many: a product each, and loads of weights and pixels."""
    possible = [pixels for pixels in VNNI_PIXELS[vectors] if pixels <= row]
    return min(possible, key=lambda p: (-(-row // p) * (p * vectors + vectors / 2 + 2), -p))


def avx2_pixels(row: int) -> int:
    """Pixels at a time: products and additions, and the widening of weights and pixels."""
    possible = [pixels for pixels in AVX2_PIXELS if pixels <= row]
    return min(possible, key=lambda p: (-(-row // p) * (p * 5 + 4), -p))
