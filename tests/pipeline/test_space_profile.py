"""Profiles of a space: measured once, gone on with, and checked against whole networks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from edgeflow.backends.firmware.options import RowExecution
from edgeflow.errors import ModelError, ProfileFileError
from edgeflow.lower.untrained import untrained_graph
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.spec_source import load_spec
from edgeflow.nets.specs import Convolution, GlobalAveragePool, InvertedResidual, Logits
from edgeflow.pipeline.network_cost import Deployment, count_graph
from edgeflow.pipeline.profiling import firmware_meter
from edgeflow.pipeline.search_costs import TargetProfile, candidate_costs
from edgeflow.pipeline.searching import predicted
from edgeflow.pipeline.space_profile import ProfileRequest, profile_spaces
from edgeflow.profiles.prediction import fit_cost_model
from edgeflow.profiles.schema import Profile
from edgeflow.progress import ProgressEvent, silent
from edgeflow.search.candidates import space
from edgeflow.search.space import Space, assembly
from edgeflow.targets.registry import load

SPEC = NetworkSpec(
    name="teacher",
    input_shape=(12, 12, 3),
    cells=(
        Convolution(channels=8, stride=(2, 2)),
        InvertedResidual(channels=8, expansion=3),
        GlobalAveragePool(),
        Logits(units=10),
    ),
)
TARGET = load("cortex-m4")


def _space(count: int) -> Space:
    """Few candidates of each cell, of different families and bits."""
    whole = space(SPEC, 4, (8, 4))
    return whole.model_copy(
        update={
            "cells": tuple(
                cell.model_copy(update={"candidates": cell.candidates[::9][:count]})
                for cell in whole.cells
            )
        }
    )


def _request(count: int, held_out: int) -> ProfileRequest:
    return ProfileRequest(
        "search",
        TARGET,
        firmware_meter(TARGET),
        (_space(count),),
        held_out,
        date(2026, 1, 1),
        "edgeflow",
    )


@pytest.fixture(scope="module")
def measured() -> Profile:
    return profile_spaces(_request(3, 4), None, lambda profile: None, silent)


def test_sums_of_rows_are_within_2_percent_of_whole_networks(measured: Profile) -> None:
    sums = measured.header.additivity
    assert sums is not None
    assert sums.networks == 4
    assert sums.share_within_2_percent == 1.0


def test_a_second_space_measures_only_what_is_missing(measured: Profile) -> None:
    kept: list[Profile] = []
    again = profile_spaces(_request(3, 0), measured, kept.append, silent)
    assert again.rows == measured.rows
    assert len(kept) == 1  # at the end: no network was run
    more = profile_spaces(_request(4, 0), measured, kept.append, silent)
    assert len(kept) == 3
    assert set(measured.rows) < set(more.rows)


def test_an_interrupted_run_goes_on_from_what_it_kept(measured: Profile) -> None:
    kept: list[Profile] = []

    def stop(event: ProgressEvent) -> None:
        if event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profile_spaces(_request(3, 0), None, kept.append, stop)
    assert 0 < len(kept[-1].rows) < len(measured.rows)
    resumed = profile_spaces(_request(3, 0), kept[-1], kept.append, silent)
    assert resumed.rows == measured.rows


def test_rows_of_another_compiler_are_not_mixed_in(measured: Profile) -> None:
    header = measured.header.model_copy(update={"compiler": "another 1.0"})
    with pytest.raises(ProfileFileError, match="another compiler"):
        profile_spaces(
            _request(3, 0), measured.model_copy(update={"header": header}), print, silent
        )


def test_rows_of_other_kernels_are_not_mixed_in(measured: Profile) -> None:
    """Here the kernels of all rows but those that are to be measured had been 10 % slower."""
    slower = tuple(row.model_copy(update={"median": 1.1 * row.median}) for row in measured.rows)
    known = measured.model_copy(update={"rows": slower})
    with pytest.raises(ProfileFileError, match="was made with other kernels"):
        profile_spaces(_request(6, 0), known, lambda profile: None, silent)


def test_candidates_of_networks_that_do_not_fit_are_measured_one_by_one() -> None:
    """A flash that holds one cell of 36 KiB, and not two."""
    wide = Convolution(channels=64)
    spec = NetworkSpec(
        name="wide",
        input_shape=(4, 4, 64),
        cells=(wide, wide, GlobalAveragePool(), Logits(units=10)),
    )
    around = space(spec, 4, (8,))
    cells = tuple(
        cell.model_copy(update={"candidates": (cell.candidates[0], cell.candidates[-1])})
        for cell in around.cells
    )
    regions = tuple(
        region.model_copy(update={"size_bytes": 15 * 4096}) if region.kind == "flash" else region
        for region in TARGET.memory
    )
    tight = TARGET.model_copy(update={"memory": regions})
    request = ProfileRequest(
        name="search",
        target=tight,
        meter=firmware_meter(tight),
        spaces=(around.model_copy(update={"cells": cells}),),
        held_out=1,
        day=date(2026, 1, 1),
        command="edgeflow",
    )
    found = profile_spaces(request, None, lambda profile: None, silent)
    assert sum(row.signature.startswith("CONV_2D") for row in found.rows) == 1
    assert found.header.additivity is not None
    assert found.header.additivity.networks == 1


def test_costs_of_candidates_are_what_builds_take(measured: Profile) -> None:
    profile = TargetProfile(
        fit_cost_model(measured), {row.key: row for row in measured.rows}, ("cortex-m4/search",)
    )
    deployment = Deployment(TARGET, 8, RowExecution.NEVER, None)
    found = candidate_costs(_space(3), deployment, profile, silent)
    assert (found.predicted, found.kind) == (0, measured.header.kind)
    for choice in ((0, 0), (1, 2), (2, 1)):
        told = predicted(found.costs, choice)
        chosen = assembly(_space(3), choice)
        built = count_graph(untrained_graph(chosen.spec, chosen.weight_bits), deployment)
        assert built is not None
        assert told["instructions"] == pytest.approx(built.instructions, rel=0.02)
        assert told["flash_bytes"] == pytest.approx(built.flash_bytes, rel=0.25)
        # The arena exactly; the stack differs from kernel to kernel.
        assert abs(told["ram_bytes"] - built.ram_bytes) <= 128


def test_operators_without_a_row_are_said_to_be_predicted(measured: Profile) -> None:
    few = measured.rows[: len(measured.rows) // 2]
    profile = TargetProfile(
        fit_cost_model(measured), {row.key: row for row in few}, ("cortex-m4/search",)
    )
    found = candidate_costs(
        _space(3), Deployment(TARGET, 8, RowExecution.NEVER, None), profile, silent
    )
    assert found.predicted > 0
    assert found.kind.value == "estimated"


def test_a_network_comes_by_name_from_a_file_or_from_code(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_text(SPEC.model_dump_json())
    assert load_spec(str(path), None, None) == SPEC
    assert load_spec(f"{__name__}:SPEC", None, None) == SPEC
    assert load_spec("small", (12, 12, 3), 10).input_shape == (12, 12, 3)
    path.write_text("{}")
    for reference in (str(path), str(tmp_path / "absent.json"), "smal", f"{__name__}:TARGET"):
        with pytest.raises(ModelError):
            load_spec(reference, None, None)
