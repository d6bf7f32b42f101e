"""The design behind its serial line, asked by the bundle's own client through a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
import tty
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference_networks import dense_digits
from edgeflow.backends.fpga.board import CLIENT, SERIAL, Pll, on_board, pll_of
from edgeflow.backends.fpga.network import finish, network_of
from edgeflow.backends.fpga.verilog import CORE_SOURCES, Design, design_of
from edgeflow.devices.verilator import build_simulation
from edgeflow.errors import ToolFailedError
from edgeflow.graph.interpreter import run_batch
from edgeflow.targets.registry import load
from edgeflow.targets.schema import FpgaFamily
from tests.backends.fpga.presence import needs_verilator

DIVISOR = 4
# Longer than the design's time-out: where it is idle, 64 cycles take a millisecond here.
_DROPPED_SECONDS = 1.0

pytestmark = needs_verilator


def _design(name: str) -> Design:
    target = load(name)
    assert target.fpga is not None
    assert target.fpga.board is not None
    design = design_of(network_of(dense_digits(), 8, 34), 17)
    return on_board(design, target.fpga, target.fpga.board, target.core.clock_hz)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serial")
    for name, text in _design("icebreaker").files.items():
        (folder / name).write_text(text, encoding="utf-8")
    sources = [f"{SERIAL}.v", *CORE_SOURCES]
    parameters = {"DIVISOR": DIVISOR, "TIMEOUT": 20_000}
    build_simulation(folder, SERIAL, sources, "serial", {"DIVISOR": DIVISOR}, parameters)
    return folder


def _ask(folder: Path, inputs: bytes, lost: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The client against the simulation, after the beginning of an input was sent and given up."""
    board, host = pty.openpty()
    tty.setraw(host)
    process = subprocess.Popen([folder / "serial", str(board)], cwd=folder, pass_fds=[board])
    try:
        (folder / "inputs").write_bytes(inputs)
        if lost:
            os.write(host, lost)
            time.sleep(_DROPPED_SECONDS)
        command = [sys.executable, CLIENT, os.ttyname(host), "inputs", "answers"]
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    finally:
        process.kill()
        process.wait()
        os.close(board)
        os.close(host)


@pytest.mark.parametrize("lost", [b"", bytes(10)])
def test_the_client_gets_the_interpreter_s_answers(lost: bytes, simulated: Path) -> None:
    graph = dense_digits()
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    rows = np.random.default_rng(4).integers(-128, 128, (5, *shape), dtype=np.int8)
    finished = _ask(simulated, rows.tobytes(), lost)
    assert finished.returncode == 0, finished.stderr.decode()
    answers = np.fromfile(simulated / "answers", np.int8).reshape(5, -1)
    expected = run_batch(graph, rows).reshape(5, -1)
    assert np.array_equal(finish(graph, answers).reshape(5, -1), expected)


def test_the_client_tells_of_rows_that_are_cut_off(simulated: Path) -> None:
    finished = _ask(simulated, bytes(63))
    assert finished.returncode == 1
    assert b"63 bytes are left, rows have 64" in finished.stderr


def test_the_pins_are_the_board_s() -> None:
    assert "set_io oscillator 35\n" in _design("icebreaker").files["board.pcf"]
    pins = _design("ulx3s-85f").files["board.lpf"]
    assert 'LOCATE COMP "rx" SITE "M1";' in pins
    assert 'FREQUENCY PORT "oscillator" 25 MHZ;' in pins


def test_the_pll_makes_the_clock_exactly_or_is_refused() -> None:
    assert pll_of(FpgaFamily.ECP5, 25_000_000, 100_000_000) == Pll(4, 8)
    assert pll_of(FpgaFamily.ICE40, 12_000_000, 24_000_000) == Pll(64, 5)
    with pytest.raises(ToolFailedError, match="No PLL makes 90 MHz of 25 MHz"):
        pll_of(FpgaFamily.ECP5, 25_000_000, 90_000_000)
