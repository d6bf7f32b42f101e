"""How many pixels a kernel computes at a time."""

from __future__ import annotations

from collections.abc import Sequence

VNNI_PIXELS: dict[int, Sequence[int]] = {
    1: (1, 2, 4, 8, 16),
    2: (1, 2, 4, 8, 12),
    3: (1, 2, 4, 8),
    4: (1, 2, 4, 5, 6),
}
"""Pixels that `edgeflow_vnni_blocks_*.c` have functions for, by vectors."""

AVX2_PIXELS: Sequence[int] = (1, 2, 3)
"""Pixels that `edgeflow_avx2_blocks.c` has functions for."""


def vnni_pixels(row: int, vectors: int) -> int:
    """Pixels at a time for rows of so many: a product each, and loads of weights and pixels."""
    possible = [pixels for pixels in VNNI_PIXELS[vectors] if pixels <= row]
    return min(possible, key=lambda p: (-(-row // p) * (p * vectors + vectors / 2 + 2), -p))


def avx2_pixels(row: int) -> int:
    """Pixels at a time: products and additions, and the widening of weights and pixels."""
    possible = [pixels for pixels in AVX2_PIXELS if pixels <= row]
    return min(possible, key=lambda p: (-(-row // p) * (p * 5 + 4), -p))
