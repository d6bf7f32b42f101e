"""Profiles of Linux targets: seconds where the device is real, instructions in an emulator."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from edgeflow.errors import ConfigError, ProfileFileError
from edgeflow.figures import FigureKind, Unit
from edgeflow.lower.untrained import untrained_graph
from edgeflow.nets.registry import specify
from edgeflow.pipeline.linux_profiling import meter_for
from edgeflow.pipeline.profiling import Meter
from edgeflow.pipeline.space_profile import ProfileRequest, profile_spaces
from edgeflow.pipeline.target_bits import weight_bits
from edgeflow.profiles.schema import Profile
from edgeflow.progress import silent
from edgeflow.search.candidates import space
from edgeflow.targets.registry import load
from tests.devices.aarch64 import LINUX_TARGETS, needs_x86_64

SPEC = specify("small", (8, 8, 1), 10)


def _space(target):  # type: ignore[no-untyped-def]
    whole = space(SPEC, target.simd.channel_granularity, weight_bits(target))
    cells = tuple(
        cell.model_copy(update={"candidates": cell.candidates[:2]}) for cell in whole.cells
    )
    return whole.model_copy(update={"cells": cells})


def _request(name: str, meter: Meter) -> ProfileRequest:
    target = load(name)
    return ProfileRequest(
        "t", target, meter, (_space(target),), 1, date(2026, 1, 1), "edgeflow profile"
    )


@pytest.mark.parametrize("name", LINUX_TARGETS[:3])
def test_a_network_is_measured_whole_and_layer_by_layer(name: str) -> None:
    meter = meter_for(load(name), None)
    real = name == "linux-x86_64"
    assert meter.unit is (Unit.SECONDS if real else Unit.INSTRUCTIONS)
    graph = untrained_graph(SPEC)
    run = meter.measure(graph, 2, 0)
    assert run.kind is (FigureKind.MEASURED if real else FigureKind.SIMULATED)
    layers = sum(float(np.median(layer.costs)) for layer in run.layers)
    whole = float(np.median(run.whole))
    assert layers > 0
    assert layers == pytest.approx(whole, rel=0.9 if real else 0.05)
    assert all(layer.flash_bytes >= 0 and layer.ram_bytes > 0 for layer in run.layers)


@pytest.fixture(scope="module", params=[pytest.param("linux-x86_64", marks=needs_x86_64)])
def measured(request: pytest.FixtureRequest) -> Profile:
    name = request.param
    return profile_spaces(
        _request(name, meter_for(load(name), None)), None, lambda profile: None, silent
    )


def test_a_profile_of_a_host_names_processor_and_governor(measured: Profile) -> None:
    header = measured.header
    assert header.unit is Unit.SECONDS
    assert header.kind is FigureKind.MEASURED
    assert header.device.startswith("this host (")
    assert header.power_mode is not None
    assert "governor" in header.power_mode
    assert header.additivity is not None
    assert header.additivity.share_within_10_percent is not None
    assert all(0 < row.median < 1 and row.n >= 5 for row in measured.rows)


def test_rows_of_another_machine_are_refused(measured: Profile) -> None:
    foreign = measured.header.model_copy(update={"device": "this host (another)"})
    known = measured.model_copy(update={"header": foreign})
    meter = meter_for(load("linux-x86_64"), None)
    with pytest.raises(ProfileFileError, match="made with another device"):
        profile_spaces(_request("linux-x86_64", meter), known, lambda profile: None, silent)


def test_a_microcontroller_is_on_no_board_with_ssh() -> None:
    with pytest.raises(ConfigError, match="has no ssh"):
        meter_for(load("cortex-m4"), "ssh://board")
