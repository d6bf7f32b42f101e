"""The candidates for a cell: operators of the same input and output shape, widths, weight bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import (
    AnyCell,
    Bottleneck,
    Convolution,
    DepthwiseSeparable,
    GroupedConvolution,
    InvertedResidual,
    Pair,
    Residual,
    ShapeHWC,
)
from edgeflow.search.space import Candidate, SearchedCell, Space
from edgeflow.train.cell_channels import explicit, has_expansion

SEARCHED = (
    Convolution,
    GroupedConvolution,
    DepthwiseSeparable,
    InvertedResidual,
    Residual,
    Bottleneck,
)

_EXPANSIONS = (0.5, 1, 1.5, 2, 3, 4, 5, 6)  # of the input's channels
_INNER_PARTS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1)  # of the output's channels
_SIDES = (1, 3, 5)
_GROUPS = (2, 4, 8)


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
    drawn: dict[tuple[AnyCell, ...], Drawn] = {}
    for each in _all(place):
        drawn.setdefault(_operator(each[2], place.shape), each)
    return tuple(
        Candidate(family=family, width=width, weight_bits=bits, cells=cells)
        for family, width, cells in drawn.values()
        for bits in (weight_bits if cells else weight_bits[:1])
    )


def _operator(cells: tuple[AnyCell, ...], shape: ShapeHWC) -> tuple[AnyCell, ...]:
    """The same for all cells that mean the same layers: what may be left out is stated."""
    stated = []
    for cell in cells:
        full = explicit(cell, shape)
        if has_expansion(full, shape):
            full = full.model_copy(update={"expansion": 2})
        stated.append(full)
        shape = cell.output_shape(shape)
    return tuple(stated)


def _all(place: Place) -> Iterator[Drawn]:
    for draw in FAMILIES:
        yield from draw(place)


def _original(place: Place) -> Iterator[Drawn]:
    """The cell as it is, then with fewer channels inside where it has any of its own."""
    cell = place.cell
    full = getattr(explicit(cell, place.shape), "inner_channels", None) or 0
    stated = {}
    if isinstance(cell, InvertedResidual):
        # An expansion of 1 would leave the first convolution out at the width of the input.
        stated = {"expansion": max(2, cell.expansion)}
        if cell.squeeze_excite or not has_expansion(cell, place.shape):
            full = 0  # the gates belong to all channels inside
    yield "original", full, (cell,)
    for width in place.widths(_INNER_PARTS, full) if full else ():
        if width < full:
            narrower = cell.model_copy(update={"inner_channels": width, **stated})
            yield "original", width, (narrower,)


def _convolution(place: Place) -> Iterator[Drawn]:
    for kernel in place.kernels():
        cell = Convolution(channels=place.output[2], kernel=kernel, stride=place.stride)
        yield f"convolution {_text(kernel)}", 0, (cell,)


def _grouped_convolution(place: Place) -> Iterator[Drawn]:
    """Equal groups of whole multiples of the granularity, which the kernels are fast at."""
    for kernel in _spatial(place):
        for groups in _GROUPS:
            step = groups * place.granularity
            if place.shape[2] % step == 0 and place.output[2] % step == 0:
                cell = GroupedConvolution(
                    channels=place.output[2], groups=groups, kernel=kernel, stride=place.stride
                )
                yield f"convolution {_text(kernel)} in {groups} groups", 0, (cell,)


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


def _bottleneck(place: Place) -> Iterator[Drawn]:
    for kernel in _spatial(place):
        for width in place.widths(_INNER_PARTS, place.output[2]):
            cell = Bottleneck(
                channels=place.output[2],
                inner_channels=width,
                kernel=kernel,
                stride=place.stride,
            )
            yield f"bottleneck {_text(kernel)}", width, (cell,)


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
    _convolution,
    _grouped_convolution,
    _depthwise_separable,
    _inverted_residual,
    _residual,
    _bottleneck,
    _two_convolutions,
    _identity,
)


def _spatial(place: Place) -> Iterator[Pair]:
    """Kernels of more than one element."""
    return (kernel for kernel in place.kernels() if kernel != (1, 1))


def _text(kernel: Pair) -> str:
    return f"{kernel[0]}x{kernel[1]}"
