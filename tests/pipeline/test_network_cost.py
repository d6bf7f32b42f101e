"""Costs of networks that are not trained yet: estimated from the profile, counted on the device."""

from __future__ import annotations

import pytest

from edgeflow.backends.firmware.options import RowExecution
from edgeflow.figures import FigureKind
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.registry import specify
from edgeflow.pipeline.network_cost import Deployment, counted_cost, estimated_cost
from edgeflow.targets import registry
from edgeflow.targets.schema import MemoryKind, Target

REFERENCE = specify("small", (8, 8, 1), 10)
UNSEEN = specify("small", (12, 12, 1), 10)


def deployment(target: Target) -> Deployment:
    return Deployment(target, 8, RowExecution.AUTO, None)


def uncounted(spec: NetworkSpec) -> None:
    raise AssertionError("the profile can tell")


def test_a_count_is_the_build_and_the_run_of_the_network() -> None:
    cost = counted_cost(deployment(registry.load("cortex-m4")))(REFERENCE)
    assert cost is not None
    # What `edgeflow build` reports for this network once it is trained; counts hardly depend on
    # weights.
    assert cost.instructions == pytest.approx(122_245, rel=1e-3)
    assert cost.kind is FigureKind.SIMULATED
    assert 8_000 < cost.flash_bytes < 12_000
    assert 1_000 < cost.ram_bytes < 4_000


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0plus"])
def test_an_estimate_for_unseen_layers_is_near_the_count(target: str) -> None:
    given = deployment(registry.load(target))
    estimate = estimated_cost(given, uncounted)(UNSEEN)
    counted = counted_cost(given)(UNSEEN)
    assert counted is not None
    assert estimate.kind is FigureKind.ESTIMATED
    assert estimate.instructions == pytest.approx(counted.instructions, rel=0.1)


def test_a_network_of_the_profile_costs_what_its_rows_say() -> None:
    estimate = estimated_cost(deployment(registry.load("cortex-m4")), uncounted)(REFERENCE)
    assert estimate.kind is FigureKind.SIMULATED
    assert estimate.weight_bytes == 144 + 4608 + 1280 + 4 * (16 + 32 + 10)


def test_without_a_profile_the_estimate_is_counted() -> None:
    target = registry.load("cortex-m4").model_copy(update={"name": "own-board"})
    given = deployment(target)
    count = counted_cost(given)
    counted = count(REFERENCE)
    assert counted is not None
    estimate = estimated_cost(given, count)(REFERENCE)
    assert (estimate.instructions, estimate.kind) == (counted.instructions, FigureKind.SIMULATED)


def test_a_network_that_the_target_does_not_hold_has_no_count() -> None:
    target = registry.load("cortex-m4")
    regions = tuple(
        region.model_copy(update={"size_bytes": 4096})
        if region.kind is MemoryKind.FLASH
        else region
        for region in target.memory
    )
    small = target.model_copy(update={"memory": regions})
    assert counted_cost(deployment(small))(REFERENCE) is None
