"""What a folded design takes of an FPGA, before anything is synthesized.

Block RAMs and multipliers follow from widths and depths. Tables and flip-flops are fitted to
designs that were synthesized and packed (`python -m benchmarks.fpga_resources`, whose results hold
the errors on designs that were left out of the fit).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from edgeflow.backends.fpga.description import Images, Widths, fields, images, widths
from edgeflow.backends.fpga.layer import Mode, Network
from edgeflow.backends.fpga.part import tools_of
from edgeflow.backends.fpga.schedule import schedule
from edgeflow.backends.fpga.weights import banks_of
from edgeflow.errors import DoesNotFitError
from edgeflow.targets.schema import Fpga, FpgaFamily

# Bits of a word and words of a block RAM, in each of its shapes.
_SHAPES: Mapping[FpgaFamily, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        FpgaFamily.ECP5: ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
        FpgaFamily.ICE40: ((16, 256), (8, 512), (4, 1024), (2, 2048)),
    }
)
# Bits that a multiplier takes on each side.
_FACTOR_BITS = {FpgaFamily.ECP5: 18, FpgaFamily.ICE40: 16}


@dataclass(frozen=True)
class Resources:
    """Counts; flip-flops are None where tables hold them, as on iCE40."""

    luts: int
    flip_flops: int | None
    block_rams: int
    multipliers: int


@dataclass(frozen=True)
class Traits:
    """What the logic of a design depends on: sums over lanes, and what there is once.

    `once` and `each_lane` are there in every design; `own_channels` are lanes that also take their
    own channels, `compared` those that keep largest values, `tables` those that look bytes up.
    `held_bits` of weights are what banks gave; `described_bits` are of a layer.
    """

    once: float
    each_lane: float
    own_channels: float
    compared: float
    tables: float
    sum_bits: float
    weight_bits: float
    held_bits: float
    described_bits: float
    layers: float
    turned_bits: float
    has_tables: float

    def values(self) -> tuple[float, ...]:
        """In order, as the coefficients are."""
        return (
            self.once,
            self.each_lane,
            self.own_channels,
            self.compared,
            self.tables,
            self.sum_bits,
            self.weight_bits,
            self.held_bits,
            self.described_bits,
            self.layers,
            self.turned_bits,
            self.has_tables,
        )


@dataclass(frozen=True)
class Fitted:
    """Coefficients of `Traits.values` for tables and, where they are counted, flip-flops."""

    luts: tuple[float, ...]
    flip_flops: tuple[float, ...] | None


FITTED: Mapping[FpgaFamily, Fitted] = MappingProxyType(
    {
        FpgaFamily.ECP5: Fitted(
            luts=(
                152.98,
                13.631,
                38.323,
                46.418,
                56.182,
                4.0635,
                0.0,
                1.0905,
                2.325,
                0.57218,
                0.075486,
                0.0,
            ),
            flip_flops=(
                501.66,
                13.616,
                10.103,
                0.0,
                0.0,
                4.0474,
                3.0612,
                0.96851,
                0.43837,
                15.575,
                2.9272,
                30.819,
            ),
        ),
        FpgaFamily.ICE40: Fitted(
            luts=(
                0.0,
                8.0547,
                56.255,
                0.0,
                0.33203,
                8.0373,
                15.67,
                0.0,
                2.6014,
                45.851,
                1.7854,
                0.0,
            ),
            flip_flops=None,
        ),
    }
)


def resources_of(network: Network, part: Fpga) -> Resources:
    """Of the network's design: tables and flip-flops estimated, the rest counted."""
    traits, fitted = traits_of(network, part).values(), FITTED[part.family]
    flip_flops = None if fitted.flip_flops is None else _sum(fitted.flip_flops, traits)
    return Resources(
        luts=_sum(fitted.luts, traits),
        flip_flops=flip_flops,
        **counted(network, part),
    )


def counted(network: Network, part: Fpga) -> dict[str, int]:
    """Block RAMs and multipliers, which no fit tells."""
    return {
        "block_rams": _block_rams(network, part),
        "multipliers": _multipliers(network, part),
    }


def require_memory(found: Resources, part: Fpga) -> None:
    """Raise DoesNotFitError where there are not nearly as many block RAMs and multipliers."""
    # Synthesis has been up to 6% below the count of block RAMs.
    if found.block_rams * 0.94 > part.block_rams or found.multipliers > part.multipliers + 1:
        raise DoesNotFitError(
            f"The network needs {found.block_rams:,} block RAMs and {found.multipliers} "
            f"multipliers; the device has {part.block_rams:,} and {part.multipliers}.",
            hint="Use fewer lanes, a smaller network, fewer bits a weight or a larger device.",
        )


def traits_of(network: Network, part: Fpga) -> Traits:
    """What the fit is in."""
    found, lanes = _widths(network, part), network.lanes
    modes = {layer.mode for layer in network.layers}
    own = bool(modes & {Mode.LANEWISE, Mode.LARGEST})
    described = sum(field.bits for field in fields(found))
    has_tables = any(layer.tables is not None for layer in network.layers)
    turned = any(int(each.turns.max()) for each in network.scalings)
    return Traits(
        once=1.0,
        each_lane=lanes,
        own_channels=lanes * own,
        compared=lanes * (Mode.LARGEST in modes),
        tables=lanes * (Mode.TABLE in modes),
        sum_bits=lanes * found.sum,
        weight_bits=lanes * found.weight,
        held_bits=lanes * found.weight * len(banks_of(_words_of(network))),
        described_bits=described,
        layers=len(network.layers),
        turned_bits=found.wide * turned,
        has_tables=float(has_tables),
    )


def _words_of(network: Network) -> int:
    return sum(0 if layer.weights is None else len(layer.weights) for layer in network.layers)


def _sum(coefficients: Sequence[float], traits: Sequence[float]) -> int:
    return round(sum(a * b for a, b in zip(coefficients, traits, strict=True)))


def _widths(network: Network, part: Fpga) -> Widths:
    plan = schedule(network.layers, network.features, network.given, network.lanes)
    return widths(network, plan, tools_of(part).half)


def _block_rams(network: Network, part: Fpga) -> int:
    """Of feature maps, weights, constants and the two tables; what never changes takes no bit."""
    contents: Images = images(network, _widths(network, part))
    bits = _varying_bits(contents.weights)
    memories = [(8 * network.lanes, network.memory_words)]
    memories += [(bits, words) for words in banks_of(len(contents.weights))]
    for rows in (contents.constants, contents.left, contents.right):
        memories.append((_varying_bits(rows), len(rows)))
    return sum(_memory(*each, part.family) for each in memories)


def _varying_bits(words: Sequence[int]) -> int:
    ever, always = 0, -1
    for word in words:
        ever |= word
        always &= word
    return (ever & ~always).bit_count()


@lru_cache(maxsize=4096)
def _memory(bits: int, words: int, family: FpgaFamily) -> int:
    """The fewest block RAMs: whole columns of one shape, and the rest in another."""
    if bits <= 0 or words <= 0:
        return 0
    found = []
    for wide, deep in _SHAPES[family]:
        rows, columns = math.ceil(words / deep), bits // wide
        rest = _memory(bits % wide, words, family) if columns else rows
        found.append(columns * rows + rest)
    return min(found)


def _multipliers(network: Network, part: Fpga) -> int:
    """Four products of the requantization, and the lanes where they are not logic."""
    found, tools = _widths(network, part), tools_of(part)
    high_sum, high_factor = found.sum - found.half, found.multiplier - found.half + 1
    low, most = found.half + 1, _FACTOR_BITS[part.family]
    sides = ((low, low), (high_sum, low), (low, high_factor), (high_sum, high_factor))
    count = sum(math.ceil(a / most) * math.ceil(b / most) for a, b in sides)
    return count + (0 if tools.soft_lanes else network.lanes)
