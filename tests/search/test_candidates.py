from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.nets.cells import build_cells
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.registry import specify
from edgeflow.nets.specs import (
    AnyCell,
    Bottleneck,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    GroupedConvolution,
    InvertedResidual,
    Logits,
    MaxPool,
    Residual,
    ShapeHWC,
)
from edgeflow.search.candidates import Place, candidates, space
from edgeflow.search.space import widest_of_families

BITS = (8, 4, 2)


def network_of(*cells: AnyCell, shape: ShapeHWC = (32, 32, 3)) -> NetworkSpec:
    return NetworkSpec(name="test", input_shape=shape, cells=(*cells, Logits(units=10)))


# The network drawn by hand that searches on CIFAR-10 have to beat.
BY_HAND = network_of(
    Convolution(channels=16, stride=(2, 2)),
    InvertedResidual(channels=24, expansion=3),
    InvertedResidual(channels=24, expansion=3),
    InvertedResidual(channels=40, expansion=3, stride=(2, 2)),
    InvertedResidual(channels=40, expansion=3),
    InvertedResidual(channels=40, expansion=3),
    InvertedResidual(channels=64, expansion=3),
    Convolution(channels=128, kernel=(1, 1)),
    GlobalAveragePool(),
)
RESNET_8 = specify("mlperf-resnet8", (32, 32, 3), 10)

sizes = st.integers(1, 24)
strides = st.tuples(st.integers(1, 2), st.integers(1, 2))
cells = st.one_of(
    st.builds(Convolution, channels=sizes, stride=strides),
    st.builds(DepthwiseSeparable, channels=sizes, stride=strides, squeeze_excite=st.booleans()),
    st.builds(
        InvertedResidual,
        channels=sizes,
        expansion=st.integers(1, 3),
        inner_channels=st.none() | sizes,
        stride=strides,
    ),
    st.builds(Residual, channels=sizes, inner_channels=st.none() | sizes, stride=strides),
    st.builds(Bottleneck, channels=sizes, inner_channels=sizes, stride=strides),
)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), sizes)
places = st.builds(Place, cells, shapes, st.sampled_from([1, 2, 4, 8]))


@pytest.mark.parametrize("teacher", [BY_HAND, RESNET_8], ids=lambda spec: spec.name)
def test_every_searched_cell_has_at_least_a_hundred_candidates(teacher: NetworkSpec) -> None:
    found = space(teacher, 4, BITS)
    assert [cell.index for cell in found.cells] == [
        index
        for index, cell in enumerate(teacher.cells)
        if not isinstance(cell, GlobalAveragePool | Logits)
    ]
    for cell in found.cells:
        assert len(cell.candidates) >= 100, teacher.cells[cell.index]


def test_poolings_and_dense_cells_are_not_searched() -> None:
    teacher = network_of(Convolution(channels=4), MaxPool(), GlobalAveragePool(), Dense(units=4))
    assert [cell.index for cell in space(teacher, 4, BITS).cells] == [0]


@settings(max_examples=40, deadline=None)
@given(place=places)
def test_every_candidate_gives_the_shape_of_the_cell(place: Place) -> None:
    for candidate in candidates(place, BITS):
        shape = place.shape
        for cell in candidate.cells:
            shape = cell.output_shape(shape)
        assert shape == place.output, candidate


@settings(max_examples=10, deadline=None)
@given(place=places)
def test_every_candidate_is_a_module_of_that_shape(place: Place) -> None:
    height, width, channels = place.shape
    wanted = (place.output[2], *place.output[:2])
    for candidate in candidates(place, (8,)):
        module = build_cells(candidate.cells, place.shape, 0).eval()
        with torch.no_grad():
            assert module(torch.zeros(1, channels, height, width))[0].shape == wanted


@settings(max_examples=40, deadline=None)
@given(place=places)
def test_the_cell_itself_with_the_widest_weights_comes_first(place: Place) -> None:
    first = candidates(place, BITS)[0]
    assert (first.cells, first.family, first.weight_bits) == ((place.cell,), "original", 8)


@settings(max_examples=20, deadline=None)
@given(place=places)
def test_no_two_candidates_have_the_same_layers_and_bits(place: Place) -> None:
    layers = Counter(
        (repr(build_cells(c.cells, place.shape, 0)), c.weight_bits)
        for c in candidates(place, (8, 2))
    )
    assert layers.most_common(1)[0][1] == 1


@settings(max_examples=40, deadline=None)
@given(place=places)
def test_widths_other_than_the_teachers_are_multiples_of_the_granularity(place: Place) -> None:
    for candidate in candidates(place, BITS)[len(BITS) :]:
        assert candidate.width % place.granularity == 0, candidate


@settings(max_examples=40, deadline=None)
@given(place=places)
def test_the_candidates_of_a_family_differ_in_width_and_bits_alone(place: Place) -> None:
    found = candidates(place, BITS)
    assert len({(c.family, c.width, c.weight_bits) for c in found}) == len(found)
    widest = widest_of_families(found)
    for candidate in found:
        names = [_names(c.cells, place.shape) for c in (candidate, widest[candidate.family])]
        assert names[0] == names[1], candidate


def _names(cells: tuple[AnyCell, ...], shape: ShapeHWC) -> list[str]:
    return [name for name, _ in build_cells(cells, shape, 0).named_parameters()]


@settings(max_examples=40, deadline=None)
@given(place=places)
def test_the_identity_is_a_candidate_only_where_the_shape_stays(place: Place) -> None:
    empty = [c for c in candidates(place, BITS) if not c.cells]
    assert len(empty) == (place.output == place.shape)
    assert all(c.family == "identity" for c in empty)


@settings(max_examples=40, deadline=None)
@given(place=places)
def test_no_kernel_is_longer_than_the_data_or_has_a_length_where_they_are_flat(
    place: Place,
) -> None:
    height, width, _ = place.shape
    for candidate in candidates(place, (8,)):
        for cell in candidate.cells if candidate.family != "original" else ():
            rows, columns = cell.kernel  # type: ignore[union-attr]
            assert max(rows, columns) <= max(height, width)
            assert rows == 1 or height > 1
            assert columns == 1 or width > 1


def test_bottlenecks_are_candidates_for_a_residual_cell() -> None:
    place = Place(Residual(channels=32), (16, 16, 32), 4)
    found = {c.width for c in candidates(place, BITS) if c.family == "bottleneck 3x3"}
    assert found == {4, 8, 12, 16, 20, 24, 32}


def test_groups_are_of_whole_multiples_of_the_granularity() -> None:
    place = Place(Convolution(channels=16), (8, 8, 24), 4)
    groups = [
        (cell.groups, cell.kernel)
        for candidate in candidates(place, (8,))
        for cell in candidate.cells
        if isinstance(cell, GroupedConvolution)
    ]
    assert groups == [(2, (3, 3)), (2, (5, 5))]
