"""A network as layers of hls4ml, each with the types of its numbers: values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeflow.backends.hls.number import Number


@dataclass(frozen=True, eq=False)
class Block:
    """A layer by hls4ml's class name, its attributes and arrays, and its types by their names.

    `weights` are constants that it stores, `constant_bits` what they and its biases take.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    types: Mapping[str, Number]
    weights: int = 0
    constant_bits: int = 0


@dataclass(frozen=True)
class Wire:
    """A tensor between blocks: its values are the graph's less `zero`, from `low` to `high`."""

    block: str
    shape: tuple[int, ...]
    zero: int
    low: int
    high: int

    @property
    def channels(self) -> int:
        """Innermost."""
        return self.shape[-1]


@dataclass(frozen=True, eq=False)
class HlsNetwork:
    """All blocks in order; the first one is the input, and `answer` what leaves.

    An answer's values are the graph's less `answer.zero`.
    """

    blocks: tuple[Block, ...]
    given: Wire
    answer: Wire
