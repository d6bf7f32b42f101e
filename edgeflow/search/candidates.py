"""The candidates for a cell: operators of the same input and output shape, widths, weight bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import (
    AnyCell,
    Convolution,
    DepthwiseSeparable,
    InvertedResidual,
    Pair,
    Residual,
    ShapeHWC,
)
from edgeflow.search.space import Candidate, SearchedCell, Space

SEARCHED = (Convolution, DepthwiseSeparable, InvertedResidual, Residual)

_EXPANSIONS = (0.5, 1, 1.5, 2, 3, 4, 6)  # of the input's channels
_INNER_PARTS = (0.125, 0.25, 0.375, 0.5, 0.75, 1)  # of the output's channels
_BOTTLENECK_PARTS = (0.125, 0.25, 0.375, 0.5)
_SIDES = (1, 3, 5)


@dataclass(frozen=True)
class Place:
    """A cell of a teacher with the shapes around it; `granularity` divides the widths inside."""

    cell: AnyCell
    shape: ShapeHWC
    granularity: int

    @property
    def output(self) -> ShapeHWC:
        """The shape that every candidate gives."""
        return self.cell.output_shape(self.shape)

    @property
    def stride(self) -> Pair:
        """Height and width."""
        stride: Pair = getattr(self.cell, "stride", (1, 1))
        return stride

    def kernels(self) -> Iterator[Pair]:
        """Square kernels, flat where the data are; none that is larger than the data."""
        found = dict.fromkeys(
            tuple(side if size > 1 else 1 for size in self.shape[:2])
            for side in _SIDES
            if side <= max(self.shape[:2])
        )
        yield from found  # type: ignore[misc]

    def widths(self, parts: Sequence[float], of: int) -> Iterator[int]:
        """Multiples of the granularity closest to parts of a number of channels, from narrow."""
        step = self.granularity
        yield from sorted({max(step, round(part * of / step) * step) for part in parts})


Drawn = tuple[str, int, tuple[AnyCell, ...]]
"""Family, width and cells."""


def space(teacher: NetworkSpec, granularity: int, weight_bits: Sequence[int]) -> Space:
    """All candidates for every cell of `teacher` that convolves.

    `weight_bits` are the widths of weights that the target runs, and `granularity` its SIMD's.
    """
    bits = tuple(sorted(weight_bits, reverse=True))
    shapes = teacher.shapes()
    return Space(
        teacher=teacher,
        cells=tuple(
            SearchedCell(
                index=index,
                candidates=candidates(Place(cell, shapes[index], granularity), bits),
            )
            for index, cell in enumerate(teacher.cells)
            if isinstance(cell, SEARCHED)
        ),
        fixed_weight_bits=bits[0],
    )


def candidates(place: Place, weight_bits: Sequence[int]) -> tuple[Candidate, ...]:
    """The cell itself with the widest weights, then every other operator, width and precision."""
    drawn = {cells: (family, width) for family, width, cells in reversed([*_all(place)])}
    first = (place.cell,)
    ordered = [first, *(cells for cells in reversed(drawn) if cells != first)]
    return tuple(
        Candidate(family=drawn[cells][0], width=drawn[cells][1], weight_bits=bits, cells=cells)
        for cells in ordered
        for bits in (weight_bits if cells else weight_bits[:1])
    )


def _all(place: Place) -> Iterator[Drawn]:
    for draw in FAMILIES:
        yield from draw(place)


def _original(place: Place) -> Iterator[Drawn]:
    cell = place.cell
    yield "original", getattr(cell, "inner_channels", None) or 0, (cell,)


def _original_widths(place: Place) -> Iterator[Drawn]:
    """A residual or inverted residual cell of a teacher with fewer channels inside."""
    cell, full = place.cell, 0
    if isinstance(cell, Residual):
        full = cell.inner_channels or cell.channels
    if isinstance(cell, InvertedResidual):
        full = cell.inner_channels or cell.expansion * place.shape[2]
    for width in place.widths(_INNER_PARTS, full) if full else ():
        yield "original", width, (cell.model_copy(update={"inner_channels": width}),)


def _convolution(place: Place) -> Iterator[Drawn]:
    for kernel in place.kernels():
        cell = Convolution(channels=place.output[2], kernel=kernel, stride=place.stride)
        yield f"convolution {_text(kernel)}", 0, (cell,)


def _depthwise_separable(place: Place) -> Iterator[Drawn]:
    for kernel in _spatial(place):
        cell = DepthwiseSeparable(channels=place.output[2], kernel=kernel, stride=place.stride)
        yield f"depthwise-separable {_text(kernel)}", 0, (cell,)


def _inverted_residual(place: Place) -> Iterator[Drawn]:
    for kernel in _spatial(place):
        for width in place.widths(_EXPANSIONS, place.shape[2]):
            cell = InvertedResidual(
                channels=place.output[2],
                expansion=2,
                inner_channels=width,
                kernel=kernel,
                stride=place.stride,
            )
            yield f"inverted-residual {_text(kernel)}", width, (cell,)


def _residual(place: Place) -> Iterator[Drawn]:
    for kernel in _spatial(place):
        for width in place.widths(_INNER_PARTS, place.output[2]):
            cell = Residual(
                channels=place.output[2],
                inner_channels=width,
                kernel=kernel,
                stride=place.stride,
            )
            yield f"residual {_text(kernel)}", width, (cell,)


def _two_convolutions(place: Place) -> Iterator[Drawn]:
    """A residual cell without its residual."""
    for kernel in _spatial(place):
        for width in place.widths(_INNER_PARTS, place.output[2]):
            first = Convolution(channels=width, kernel=kernel, stride=place.stride)
            second = Convolution(channels=place.output[2], kernel=kernel)
            yield f"two convolutions {_text(kernel)}", width, (first, second)


def _identity(place: Place) -> Iterator[Drawn]:
    if place.output == place.shape:
        yield "identity", 0, ()


FAMILIES: tuple[Callable[[Place], Iterator[Drawn]], ...] = (
    _original,
    _original_widths,
    _convolution,
    _depthwise_separable,
    _inverted_residual,
    _residual,
    _two_convolutions,
    _identity,
)


def _spatial(place: Place) -> Iterator[Pair]:
    """Kernels of more than one element."""
    return (kernel for kernel in place.kernels() if kernel != (1, 1))


def _text(kernel: Pair) -> str:
    return f"{kernel[0]}x{kernel[1]}"
