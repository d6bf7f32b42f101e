from __future__ import annotations

import pytest

from edgeflow.errors import ModelError
from edgeflow.grow.sites import Site, Width, sites, widened
from edgeflow.nets.registry import specify
from edgeflow.nets.specs import (
    AnyCell,
    Bottleneck,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    Residual,
)
from tests.grow.networks import SPECS, spec_of

CONVOLUTION = Convolution(channels=4)


def listed(*cells: AnyCell) -> set[tuple[int, str]]:
    return {(site.cell, site.width.value) for site in sites(spec_of(*cells))}


def test_convolutions_and_dense_cells_grow_through_poolings_and_flattening() -> None:
    assert listed(CONVOLUTION, CONVOLUTION, Dense(units=3)) == {
        (0, "output"),
        (1, "output"),
        (2, "output"),
    }
    assert [s.cell for s in sites(SPECS["poolings"])] == [0, 3, 5]


def test_a_residual_cell_grows_inside_and_the_stream_that_it_adds_to_does_not() -> None:
    assert listed(CONVOLUTION, Residual(channels=4), GlobalAveragePool()) == {(1, "inner")}


def test_a_residual_cell_that_shrinks_its_input_lets_the_cell_before_grow() -> None:
    down = Residual(channels=4, stride=(2, 2))
    assert listed(CONVOLUTION, down, GlobalAveragePool()) == {(0, "output"), (1, "inner")}


def test_a_bottleneck_and_what_it_reads_keep_their_widths() -> None:
    down = Bottleneck(channels=6, inner_channels=2, stride=(2, 2))
    assert listed(CONVOLUTION, down, CONVOLUTION) == {(2, "output")}


def test_an_input_that_could_meet_the_width_of_a_residual_cell_does_not_grow() -> None:
    """At 6 channels the cell would lose its shortcut convolution."""
    assert (0, "output") not in listed(CONVOLUTION, Residual(channels=6))
    assert (0, "output") not in listed(CONVOLUTION, InvertedResidual(channels=6))


def test_linear_bottlenecks_grow_inside_and_where_they_add_nothing() -> None:
    assert listed(InvertedResidual(channels=3, stride=(2, 2)), CONVOLUTION) == {
        (0, "inner"),
        (0, "output"),
        (1, "output"),
    }


@pytest.mark.parametrize(
    ("inner", "grows"),
    [
        (None, {(1, "output")}),
        (5, {(1, "inner"), (1, "output")}),
        (3, {(0, "output"), (1, "output")}),
    ],
)
def test_widths_that_would_meet_where_the_expansion_falls_away_do_not_grow(
    inner: int | None, grows: set[tuple[int, str]]
) -> None:
    cell = InvertedResidual(channels=3, expansion=1, inner_channels=inner, stride=(2, 2))
    assert listed(CONVOLUTION, cell) == grows


def test_widths_behind_gates_do_not_grow() -> None:
    gated = DepthwiseSeparable(channels=3, squeeze_excite=True)
    assert listed(CONVOLUTION, gated) == {(1, "output")}
    assert listed(InvertedResidual(channels=2, squeeze_excite=True)) == set()


@pytest.mark.parametrize("name", SPECS)
def test_growing_changes_one_width_only(name: str) -> None:
    spec = SPECS[name]
    assert sites(spec)
    for site in sites(spec):
        wider = widened(spec, site, 3)
        expected = [list(shape) for shape in spec.shapes()]
        if site.width is Width.OUTPUT:
            after = site.cell + 1
            while True:
                expected[after][2] += 3
                if not spec.cells[after].kind.endswith("pool"):
                    break
                after += 1
        assert [list(shape) for shape in wider.shapes()] == expected
        assert site in sites(wider)


def test_inner_channels_that_follow_the_input_are_written_out_before_it_grows() -> None:
    spec = spec_of(CONVOLUTION, InvertedResidual(channels=3, expansion=2, stride=(2, 2)))
    cell = widened(spec, Site(0, Width.OUTPUT), 2).cells[1]
    assert isinstance(cell, InvertedResidual)
    assert cell.inner_channels == 8


@pytest.mark.parametrize(
    ("site", "added"), [(Site(1, Width.OUTPUT), 2), (Site(0, Width.OUTPUT), 0)]
)
def test_what_cannot_grow_says_so(site: Site, added: int) -> None:
    with pytest.raises(ModelError, match="cannot be added") as caught:
        widened(spec_of(CONVOLUTION), site, added)
    assert "sites(spec)" in caught.value.hint


@pytest.mark.parametrize("name", ["small", "mlperf-resnet8", "mlperf-dscnn", "mlperf-autoencoder"])
def test_reference_networks_can_grow(name: str) -> None:
    assert len(sites(specify(name, (16, 12, 3), 10))) >= 3
