"""Placed, routed and packed, by the open tools, for a small FPGA."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference_networks import dense_digits
from edgeflow.backends.fpga.folder import BITSTREAM, SCRIPT, folder_files
from edgeflow.backends.fpga.implementation import Implementation, implement, netlist_of
from edgeflow.backends.fpga.network import finish, network_of
from edgeflow.backends.fpga.part import tools_of
from edgeflow.backends.fpga.spatial.network import arrange, spatial_layers
from edgeflow.backends.fpga.spatial.verilog import spatial_design
from edgeflow.backends.fpga.verilog import CORE, Design, design_of
from edgeflow.devices.verilator import simulate
from edgeflow.errors import DoesNotFitError, ToolFailedError
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import OpKind, Quantization
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Fpga
from tests.backends.fpga.presence import needs_verilator, needs_yosys
from tests.backends.fpga.test_accelerator import _layer
from tests.graph.builder import GraphBuilder

pytestmark = needs_yosys


def _part() -> Fpga:
    part = load("ice40-up5k").fpga
    assert part is not None
    return part


def _design(lanes: int, bits: int = 8) -> Design:
    tools = tools_of(_part())
    network = network_of(dense_digits(bits), lanes, 2 * tools.half)
    return design_of(network, tools.half, tools.soft_lanes)


@pytest.fixture(scope="module")
def routed() -> Implementation:
    return implement(_design(8).files, CORE, _part(), 40e6)


def test_the_digits_network_answers_within_its_time_on_the_smallest_fpga(
    routed: Implementation,
) -> None:
    assert routed.fmax_hz > 24e6
    assert _design(8).cycles / routed.fmax_hz <= 8.5e-6


def test_what_the_design_uses_is_told(routed: Implementation) -> None:
    assert routed.available["luts"] == 5280
    assert 0 < routed.used["luts"] < 5280
    assert routed.used["multipliers"] == 4
    assert len(routed.bitstream) == 104_090
    assert routed.critical_path
    total = sum(delay.nanoseconds for delay in routed.critical_path)
    assert total == pytest.approx(1e9 / routed.fmax_hz, rel=0.05)


def test_a_design_that_does_not_fit_is_told_so() -> None:
    with pytest.raises(DoesNotFitError, match="does not fit ice40 up5k"):
        implement(_design(32).files, CORE, _part(), 24e6)


def test_what_a_tool_says_is_told() -> None:
    with pytest.raises(ToolFailedError, match="syntax error"):
        implement({"edge.v": "module edge(; endmodule"}, "edge", _part(), 24e6)


def _in_space() -> Design:
    """A dense layer of eight products."""
    builder = GraphBuilder()
    x = builder.input((1, 4), Quantization((0.0625,), (7,)))
    x = _layer(builder, x, OpKind.FULLY_CONNECTED, np.array([[3, -7, 0, 5], [1, 2, -4, 6]]))
    graph = builder.build([x.name])
    layers, features = spatial_layers(graph)
    return spatial_design(arrange(graph, layers, features, 2, lambda _: None))


def test_seeds_are_taken_in_turn_until_the_clock_is_reached() -> None:
    pytest.importorskip("da4ml")
    files, heard = _in_space().files, list[str]()
    alone = [implement(files, CORE, _part(), 500e6, seeds=[seed]) for seed in (1, 2, 3)]
    best = max(alone, key=lambda each: each.fmax_hz)
    assert len({each.fmax_hz for each in alone}) > 1
    found = implement(files, CORE, _part(), 500e6, seeds=(1, 2, 3), tell=heard.append)
    assert (found.seed, found.bitstream) == (best.seed, best.bitstream)
    assert heard[-1] == f"{alone[2].fmax_hz / 1e6:.1f} of 500.0 MHz with seed 3"
    heard.clear()
    easy = implement(files, CORE, _part(), 10e6, seeds=(1, 2, 3), tell=heard.append)
    assert (easy.seed, heard) == (1, [])


def test_the_script_in_the_bundle_makes_the_same_bitstream_in_space(tmp_path: Path) -> None:
    pytest.importorskip("da4ml")
    design = _in_space()
    target = load("ice40-up5k")
    assert target.fpga is not None
    found = implement(design.files, CORE, target.fpga, target.core.clock_hz, seeds=(3,))
    for name, data in folder_files(design, found, target).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / BITSTREAM).unlink()
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = {**os.environ, "PREFIX": "yowasp-", "PATH": path}
    subprocess.run(["sh", SCRIPT], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / BITSTREAM).read_bytes() == found.bitstream


@pytest.mark.slow
@pytest.mark.parametrize("_", [pytest.param("", marks=needs_verilator)])
def test_the_netlist_of_cells_answers_as_the_interpreter(_: str) -> None:
    design, graph = _design(8), dense_digits()
    rows = np.random.default_rng(6).integers(-128, 128, (3, 8, 8, 1), dtype=np.int8)
    found = simulate(design, rows, netlist_of(design.files, CORE, _part()))
    expected = run_batch(graph, rows).reshape(3, -1)
    assert np.array_equal(finish(graph, found.answers).reshape(3, -1), expected)
    assert (found.cycles == design.cycles).all()
