"""What a processor's vector unit looks like to a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Vectors:
    """Lanes of float32 in a register, and the tile of accumulators that registers hold.

    A convolution keeps `positions` x `channels` sums in registers: all of them but those that hold
    weights and a broadcast input. A dense layer keeps `units` sums. `mcpu` is LLVM's name of the
    processor.
    """

    mcpu: str
    lanes: int
    positions: int
    channels: int
    units: int


AVX2 = Vectors("x86-64-v3", 8, 6, 16, 32)
AVX512 = Vectors("x86-64-v4", 16, 12, 32, 64)
NEON_32 = MappingProxyType({"lanes": 4, "positions": 6, "channels": 16, "units": 16})


def neon(mcpu: str) -> Vectors:
    """Of a 64-bit Arm core: 32 registers of four."""
    return Vectors(mcpu, **NEON_32)
