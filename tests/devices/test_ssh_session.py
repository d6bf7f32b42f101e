"""A real sshd on loopback as a board: answers and times, and what goes wrong with boards."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.engine import Engine
from edgeflow.backends.native.toolchain import RUNNER, build_program
from edgeflow.backends.runtimes.forms import runtime_program
from edgeflow.backends.runtimes.program import Precision, RuntimeProgram
from edgeflow.devices import ssh_session as module
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import LinuxRunner, runner_for
from edgeflow.devices.ssh_session import CONFIG_VARIABLE, Shell, parse_address, ssh_session
from edgeflow.devices.timing import Protocol, time_program
from edgeflow.errors import (
    ConfigError,
    DeviceFaultError,
    DeviceTimeoutError,
    DoesNotFitError,
    StorageError,
)
from edgeflow.figures import FigureKind
from edgeflow.targets.registry import load
from tests.backends.hand_written import INPUT_BYTES, invoke_only
from tests.backends.ordinary_networks import ordinary_network
from tests.devices.aarch64 import needs_x86_64

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
TARGET = "linux-x86_64"
ROWS = np.arange(3 * INPUT_BYTES, dtype=np.int8).reshape(3, 4, 4)

pytestmark = [
    *needs_x86_64,
    pytest.mark.skipif(
        SSHD is None or shutil.which("ssh") is None,
        reason="needs sshd (Debian, Ubuntu: apt install openssh-server)",
    ),
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            pytest.skip("sshd does not start here")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("sshd does not listen")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The folder with keys and configurations of a server of its own, and its port."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    port = _free_port()
    shutil.copy(folder / "user.pub", folder / "authorized")
    host_key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(host_key)}\n")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/authorized\nPidFile {folder}/pid\nStrictModes no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        "PermitRootLogin prohibit-password\nAcceptEnv TMPDIR\n"
    )
    for name in ("user", "stranger"):
        (folder / f"config-{name}").write_text(
            f"IdentityFile {folder}/{name}\nIdentitiesOnly yes\n"
            f"UserKnownHostsFile {folder}/known\nSendEnv TMPDIR\n"
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD is not None
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield folder, port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def board(server: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of this machine as a board, with the right key; its temporary files are ours."""
    folder, port = server
    monkeypatch.setenv(CONFIG_VARIABLE, str(folder / "config-user"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return f"ssh://{getpass.getuser()}@127.0.0.1:{port}"


Model = Callable[[str], object]


def _runner(board: str) -> LinuxRunner:
    return runner_for(load("linux-x86_64"), board)


def test_a_board_gives_answers_and_times_and_is_left_as_it_was(board: str, tmp_path: Path) -> None:
    target = load("linux-x86_64")
    model = invoke_only("for (int i = 0; i < 16; ++i) out[i] = (int8_t)(in[15 - i] + 1);")
    program, runner = build_program(model, target), _runner(board)
    run = runner.run(program, ROWS, RunLimits())
    assert np.array_equal(run.outputs, ROWS.reshape(3, 16)[:, ::-1] + 1)
    assert run.kind is FigureKind.MEASURED
    assert socket.gethostname() in run.source
    quick = Protocol(0.002, 0.001, least_rounds=2, most_rounds=2)
    assert time_program(runner, program, ROWS, quick).median_seconds > 0
    assert not list(tmp_path.glob("edgeflow.*"))


def test_a_board_s_own_python_runs_an_engine_s_script(board: str, tmp_path: Path) -> None:
    """The script asks the board's `env` for python3; what it lacks there is told in its words."""
    program = runtime_program(ordinary_network(0), Engine.LITERT, Precision.INT8, load(TARGET))
    runner = _runner(board)
    with pytest.raises(DeviceFaultError, match=r"exit status \d+: .*(not found|[Nn]o such file)"):
        runner.about(_for_python(program, f"{tmp_path}/no-python"), RunLimits())
    ours = _for_python(program, sys.executable)
    assert runner.about(ours, RunLimits()).version.startswith("ai-edge-litert")
    inputs = np.zeros((3, program.input_bytes), np.int8)
    here = runner_for(load("linux-x86_64")).run(program, inputs, RunLimits())
    assert np.array_equal(runner.run(ours, inputs, RunLimits()).outputs, here.outputs)


def _for_python(program: RuntimeProgram, path: str) -> RuntimeProgram:
    """The program for an interpreter at `path`, as if the board's `env` found it there."""
    script = program.runner.replace(b"/usr/bin/env python3", path.encode(), 1)
    assert script != program.runner
    return replace(program, runner=script)


def test_a_crash_on_the_board_names_the_signal(board: str) -> None:
    program = build_program(
        invoke_only("*(volatile int8_t *)4 = in[0]; out[0] = 1;"), load("linux-x86_64")
    )
    with pytest.raises(DeviceFaultError, match=r"crashed on .*: SIGSEGV"):
        _runner(board).run(program, ROWS, RunLimits())


def test_a_hang_on_the_board_ends_at_the_limit(board: str) -> None:
    program = build_program(
        invoke_only("volatile int8_t v = in[0]; while (v + 200) {}"), load("linux-x86_64")
    )
    with pytest.raises(DeviceTimeoutError, match=r"within 2 s"):
        _runner(board).run(program, ROWS, RunLimits(seconds=2.0))
    subprocess.run(["pkill", "-f", f"./{RUNNER} answers"], check=False)


def test_a_key_that_the_board_does_not_know_is_told(
    board: str, server: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(server[0] / "config-stranger"))
    with pytest.raises(DeviceFaultError, match="Permission denied") as caught:
        _runner(board)
    assert "works without questions" in caught.value.hint


def test_a_board_whose_host_key_changed_is_told(
    board: str, server: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, port = server
    other = (folder / "stranger.pub").read_text().split()[:2]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {' '.join(other)}\n")
    text = (folder / "config-user").read_text().replace(f"{folder}/known", f"{tmp_path}/known")
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "config"))
    with pytest.raises(DeviceFaultError, match="Host key verification failed"):
        _runner(board)


def test_a_board_that_is_off_is_told(board: str) -> None:
    with pytest.raises(DeviceFaultError, match="Connection refused"):
        runner_for(load("linux-x86_64"), f"ssh://127.0.0.1:{_free_port()}")


def test_another_machine_than_the_target_s_is_told(board: str) -> None:
    with pytest.raises(DoesNotFitError, match="is x86_64, and jetson-nano is aarch64"):
        runner_for(load("jetson-nano"), board)


def test_a_connection_that_is_cut_is_told(board: str) -> None:
    """The server's process of the connection is killed while the runner works."""
    script = b"#!/bin/sh\nkill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)\n"
    with (
        ssh_session(script, parse_address(board), "board") as session,
        pytest.raises(DeviceFaultError, match="cannot be used"),
    ):
        session.start((), 20.0)


def test_a_full_disk_on_the_board_is_told_with_the_place(
    board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is a place where nothing can be written: as on a full disk, cat fails."""
    with ssh_session(b"", parse_address(board), "board") as session:
        object.__setattr__(session, "folder", "/dev/full/none")
        with pytest.raises(StorageError, match=r"inputs \(3 bytes\) cannot be written on ssh://"):
            session.put("inputs", b"abc")
        object.__setattr__(session, "folder", "/dev")
        with pytest.raises(StorageError, match="No space left on device"):
            session.put("full", b"abc")


def test_a_board_without_a_folder_for_temporary_files_is_told(
    board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    monkeypatch.setattr(module.tempfile, "tempdir", "/tmp")
    with (
        pytest.raises(StorageError, match="gives no folder for temporary files"),
        ssh_session(b"", parse_address(board), "board"),
    ):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "pi@board",
        "http://board",
        "ssh://",
        "ssh://board/path",
        "ssh://board:many",
        "ssh://-oProxy=x",
    ],
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a board is named ssh://\[user@\]host\[:port\]"):
        parse_address(text)


def test_addresses_keep_user_and_port() -> None:
    assert parse_address("ssh://pi@board:2222").destination == "pi@board"
    assert parse_address("ssh://pi@board:2222").port == 2222
    assert str(parse_address("ssh://board")) == "ssh://board"
    assert Shell(parse_address("ssh://board"), "/x")._ssh()[-1] == "-T"
