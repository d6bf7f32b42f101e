"""What designs take, before they are synthesized; and the lanes that are chosen by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.reference_networks import dense_digits
from edgeflow.backends.fpga.implementation import pack
from edgeflow.backends.fpga.lanes import fastest
from edgeflow.backends.fpga.layer import Network
from edgeflow.backends.fpga.network import network_of
from edgeflow.backends.fpga.part import tools_of
from edgeflow.backends.fpga.resources import (
    FITTED,
    Resources,
    require_memory,
    resources_of,
)
from edgeflow.backends.fpga.schedule import schedule
from edgeflow.backends.fpga.verilog import CORE, design_of
from edgeflow.errors import DoesNotFitError
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Fpga, FpgaFamily
from tests.backends.fpga.presence import needs_yosys

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results" / "fpga_resources.json"


def _part(name: str) -> Fpga:
    part = load(name).fpga
    assert part is not None
    return part


def _network(part: Fpga, lanes: int) -> Network:
    return network_of(dense_digits(), lanes, 2 * tools_of(part).half)


@pytest.mark.parametrize("_", [pytest.param("", marks=needs_yosys)])
@pytest.mark.parametrize(("target", "lanes"), [("ice40-up5k", 4), ("ecp5-25k", 8)])
def test_a_packed_design_takes_what_was_said(target: str, lanes: int, _: str) -> None:
    part = _part(target)
    tools, network = tools_of(part), _network(part, lanes)
    used = pack(design_of(network, tools.half, tools.soft_lanes).files, CORE, part)
    found = resources_of(network, part)
    assert found.block_rams == used["block_rams"]
    assert found.multipliers == used["multipliers"]
    assert found.luts == pytest.approx(used["luts"], rel=0.2)
    if found.flip_flops is not None:
        assert found.flip_flops == pytest.approx(used["flip_flops"], rel=0.1)


def test_the_coefficients_are_those_of_the_benchmark() -> None:
    families = json.loads(RESULTS.read_bytes())["families"]
    assert set(families) == {family.value for family in FITTED}
    for family, fitted in FITTED.items():
        fits = families[family]["fits"]
        assert list(fitted.luts) == fits["luts"]["coefficients"]
        flip_flops = fits.get("flip_flops")
        assert (fitted.flip_flops is None) == (flip_flops is None)
        if fitted.flip_flops is not None:
            assert list(fitted.flip_flops) == flip_flops["coefficients"]
            assert flip_flops["largest_error"] < 0.12
        assert fits["luts"]["mean_error"] < 0.08
        assert fits["luts"]["largest_error"] < 0.25


def test_counted_block_rams_are_about_those_of_every_design_of_the_benchmark() -> None:
    for family in json.loads(RESULTS.read_bytes())["families"].values():
        for design in family["designs"]:
            counted, used = design["counted"], design["used"]
            most = max(4, 0.065 * used["block_rams"])
            assert abs(counted["block_rams"] - used["block_rams"]) <= most, design["network"]
            assert 0 <= counted["multipliers"] - used["multipliers"] <= 1, design["network"]


def test_what_has_no_room_is_refused_with_figures() -> None:
    part = _part("ice40-up5k")
    require_memory(Resources(1, None, 31, 9), part)
    with pytest.raises(DoesNotFitError, match="needs 33 block RAMs and 4 multipliers"):
        require_memory(Resources(1, None, 33, 4), part)
    with pytest.raises(DoesNotFitError, match="the device has 30 and 8"):
        require_memory(Resources(1, None, 1, 10), part)


def _cycles(network: Network) -> int:
    return schedule(network.layers, network.features, network.given, network.lanes).cycles


def test_lanes_are_as_many_as_there_is_room_for() -> None:
    heard: list[str] = []
    large = fastest(dense_digits(), _part("ecp5-25k"), heard.append)
    assert large.lanes == 16
    assert any(each.startswith("32 lanes") and each.endswith("does not fit") for each in heard)
    small = fastest(dense_digits(), _part("ice40-up5k"), heard.append)
    assert small.lanes == 8
    assert _cycles(large) < _cycles(small)


def test_lanes_that_no_layer_fills_are_left_out() -> None:
    part = _part("ecp5-85k")
    chosen = fastest(dense_digits(), part, lambda _: None)
    assert chosen.lanes < 128
    assert _cycles(chosen) < _cycles(_network(part, chosen.lanes // 2))
    assert _cycles(chosen) <= _cycles(_network(part, chosen.lanes * 2))


def test_a_device_without_room_for_the_fewest_lanes_is_told_so() -> None:
    part = _part("ice40-up5k").model_copy(update={"block_rams": 3})
    with pytest.raises(DoesNotFitError, match=r"2 already take .* 11 block RAMs"):
        fastest(dense_digits(), part, lambda _: None)


def test_every_family_has_coefficients() -> None:
    assert set(FITTED) == set(FpgaFamily)
