"""The design behind SPI, asked by the bundle's own client, frame by frame."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.reference_networks import dense_digits
from edgeflow.backends.fpga.board import CLIENT, SPI, SPI_CYCLES, on_board
from edgeflow.backends.fpga.network import finish, network_of
from edgeflow.backends.fpga.verilog import CORE_SOURCES, Design, design_of
from edgeflow.devices.verilator import build_simulation
from edgeflow.graph.interpreter import run_batch
from edgeflow.targets.registry import load
from tests.backends.fpga.presence import needs_verilator

pytestmark = needs_verilator
Transfer = Callable[[bytes], bytes]


def _design() -> Design:
    target = load("ulx3s-85f-spi")
    assert target.fpga is not None
    assert target.fpga.board is not None
    design = design_of(network_of(dense_digits(), 8, 34), 17)
    return on_board(design, target.fpga, target.fpga.board, target.core.clock_hz)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spi")
    for name, text in _design().files.items():
        (folder / name).write_text(text, encoding="utf-8")
    sources = [f"{SPI}.v", *CORE_SOURCES]
    build_simulation(folder, SPI, sources, "spi", {"HALF_PERIOD": SPI_CYCLES // 2})
    return folder


@pytest.fixture
def transfer(folder: Path) -> Iterator[Transfer]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([folder / "spi"], cwd=folder, **pipes) as board:
        assert board.stdin is not None
        assert board.stdout is not None
        to_board, from_board = board.stdin, board.stdout

        def exchange(frame: bytes) -> bytes:
            to_board.write(struct.pack("<H", len(frame)) + frame)
            to_board.flush()
            return from_board.read(len(frame))

        yield exchange
        board.kill()


def _client(folder: Path, **changed: Any) -> Any:
    """The bundle's client, with other sizes of frames where that is asked for."""
    names: dict[str, Any] = {"__name__": "client"}
    exec((folder / CLIENT).read_text("utf-8"), names)
    names.update(changed)
    return SimpleNamespace(**names)


def _rows(count: int) -> np.ndarray:
    shape = dense_digits().tensors[dense_digits().inputs[0]].shape[1:]
    return np.random.default_rng(4).integers(-128, 128, (count, *shape), dtype=np.int8)


def _expected(row: np.ndarray) -> np.ndarray:
    return run_batch(dense_digits(), row[None]).reshape(-1)


def _finished(answer: bytes) -> np.ndarray:
    values = np.frombuffer(answer, np.int8).reshape(1, -1)
    return finish(dense_digits(), values).reshape(-1)


@pytest.mark.parametrize("most", [4094, 7])
def test_the_client_gets_the_interpreter_s_answers(
    most: int, folder: Path, transfer: Transfer
) -> None:
    client = _client(folder, MOST=most)
    for row in _rows(4):
        answer = client.ask(transfer, row.tobytes())
        assert np.array_equal(_finished(answer), _expected(row))


def test_an_input_that_was_given_up_does_not_shift_the_next(
    folder: Path, transfer: Transfer
) -> None:
    row = _rows(1)[0]
    transfer(bytes([1, 0]) + bytes(10))
    answer = _client(folder).ask(transfer, row.tobytes())
    assert np.array_equal(_finished(answer), _expected(row))


def test_an_answer_that_nobody_fetched_is_fetched_before_the_next_input(
    folder: Path, transfer: Transfer
) -> None:
    first, second = _rows(2)
    transfer(bytes([1, 0]) + first.tobytes())
    while not transfer(bytes(2))[1] & 1:
        pass
    assert transfer(bytes([1, 0]) + second.tobytes())[1] == 1
    assert len(transfer(bytes([2, 0, 0, 0]))) == 4
    answer = _client(folder).ask(transfer, second.tobytes())
    assert np.array_equal(_finished(answer), _expected(second))


def test_nothing_is_sent_but_zeros_where_no_answer_waits(transfer: Transfer) -> None:
    assert transfer(bytes([2, 0, 0, 0])) == bytes([0, 2, 0, 0])


def test_the_client_knows_the_board_s_clock_and_the_design_its_pins() -> None:
    files = _design().files
    assert f"HERTZ = {75_000_000 // SPI_CYCLES}\n" in files[CLIENT]
    assert 'LOCATE COMP "miso" SITE "B9";' in files["board.lpf"]
    assert "edgeflow_spi link (" in files["edgeflow_board.v"]
