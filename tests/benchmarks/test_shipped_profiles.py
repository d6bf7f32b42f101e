"""The profiles in `profiles/` are what the shipped kernels do."""

from __future__ import annotations

from datetime import date

import pytest

from benchmarks.profile_reference_networks import NAME, profile
from benchmarks.reference_networks import REFERENCES
from benchmarks.search import networks
from edgeflow.figures import FigureKind, Unit
from edgeflow.lower.untrained import untrained_graph
from edgeflow.pipeline.profiling import rows, run_layers
from edgeflow.profiles import registry
from edgeflow.targets.registry import load

TARGETS = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m0plus")
SEARCHED = tuple(target for target in TARGETS if f"{target}/search" in registry.names())
PROFILED = {
    "cortex-m4": networks.teacher,
    "cortex-m7": networks.teacher,
    "cortex-m33": networks.small_teacher,
}
DAY = date(2026, 1, 1)


@pytest.mark.parametrize("target", TARGETS)
def test_the_shipped_profile_is_valid_and_says_where_it_comes_from(target: str) -> None:
    shipped = registry.load(f"{target}/{NAME}")
    assert shipped.header.kind is FigureKind.SIMULATED
    assert shipped.header.unit is Unit.INSTRUCTIONS
    assert shipped.header.command.endswith(f"--target {target}")
    assert len(shipped.rows) >= 40


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0plus"])
def test_the_shipped_rows_are_those_of_a_run_now(target: str) -> None:
    shipped = registry.load(f"{target}/{NAME}")
    fresh = profile(load(target), REFERENCES[:1], DAY)
    rows = {row.key: row for row in shipped.rows}
    assert len(fresh.rows) >= 5
    for row in fresh.rows:
        found = rows[row.key]
        assert (found.median, found.flash_bytes, found.ram_bytes) == (
            row.median,
            row.flash_bytes,
            row.ram_bytes,
        ), f"{row.signature}: write it again with `{shipped.header.command}`"
    assert fresh.header.model_copy(update={"date": shipped.header.date}) == shipped.header


def test_a_profile_is_the_same_every_time() -> None:
    target = load("cortex-m4")
    assert profile(target, REFERENCES[:1], DAY) == profile(target, REFERENCES[:1], DAY)


@pytest.mark.parametrize("target", SEARCHED)
def test_sums_of_the_shipped_rows_are_whole_networks(target: str) -> None:
    header = registry.load(f"{target}/search").header
    assert header.kind is FigureKind.SIMULATED
    sums = header.additivity
    assert sums is not None
    assert sums.networks >= 100
    assert sums.share_within_2_percent >= 0.99


@pytest.mark.parametrize("target", SEARCHED)
def test_the_shipped_rows_of_a_search_are_those_of_a_run_now(target: str) -> None:
    shipped = registry.load(f"{target}/search")
    known = {row.key: row for row in shipped.rows}
    run = run_layers(load(target), untrained_graph(PROFILED[target]()), inputs=1, seed=2)
    for row in rows(run.layers):
        found = known[row.key]
        assert row.median == pytest.approx(found.median, rel=0.01), (
            f"{row.signature}: write it again with `{shipped.header.command}`"
        )
        assert (row.flash_bytes, row.ram_bytes) == (found.flash_bytes, found.ram_bytes)


def test_the_shipped_example_of_a_host_adds_up_within_10_percent() -> None:
    """Nine in ten of a hundred networks that gave no row."""
    header = registry.load("linux-x86_64/example").header
    assert header.unit is Unit.SECONDS
    assert header.kind is FigureKind.MEASURED
    assert header.additivity is not None
    assert header.additivity.networks == 100
    assert header.additivity.share_within_10_percent is not None
    assert header.additivity.share_within_10_percent >= 0.9
