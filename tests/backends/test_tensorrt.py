"""Projects for TensorRT: what the script asks of the board's compiler, and what is refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgeflow.backends.tensorrt.project import MODEL, SCRIPT, project_files
from edgeflow.errors import DoesNotFitError
from edgeflow.targets.registry import load
from tests.backends.ordinary_networks import ordinary_network

needs_meminfo = pytest.mark.skipif(
    not Path("/proc/meminfo").is_file() or shutil.which("awk") is None, reason="needs Linux and awk"
)


def _run(target: str, folder: Path, trtexec: str) -> subprocess.CompletedProcess[str]:
    """The script where `trtexec` stands for the board's compiler and says what it was asked."""
    for name, content in project_files(ordinary_network(1), load(target)).items():
        (folder / name).write_bytes(content)
    tool = folder / "trtexec"
    tool.write_text(f"#!/bin/sh\n{trtexec}\n")
    tool.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", str(folder / SCRIPT), "--verbose"],
        env={**os.environ, "TRTEXEC": str(tool)},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_meminfo
@pytest.mark.parametrize(
    ("target", "workspace"),
    [("jetson-nano", r"--workspace=(\d+)"), ("jetson-orin-nano", r"--memPoolSize=workspace:(\d+)")],
)
def test_the_script_asks_for_fp16_within_the_board_s_memory(
    target: str, workspace: str, tmp_path: Path
) -> None:
    done = _run(target, tmp_path, 'pwd; printf "%s\\n" "$@"')
    assert done.returncode == 0, done.stderr
    folder, *arguments = done.stdout.split()
    assert Path(folder).resolve() == tmp_path.resolve()
    assert [a for a in arguments if not a.startswith(("--workspace", "--memPool"))] == [
        "--onnx=model.onnx",
        "--saveEngine=model.engine",
        "--fp16",
        "--verbose",
    ]
    found = re.search(workspace, done.stdout)
    assert found is not None
    assert 64 <= int(found[1]) <= 1024


@needs_meminfo
def test_a_compiler_that_fails_fails_the_script(tmp_path: Path) -> None:
    assert _run("jetson-nano", tmp_path, "exit 9").returncode == 9


def test_an_absent_compiler_is_told(tmp_path: Path) -> None:
    (tmp_path / SCRIPT).write_bytes(project_files(ordinary_network(1), load("jetson-nano"))[SCRIPT])
    done = subprocess.run(
        ["/bin/sh", str(tmp_path / SCRIPT)],
        env={**os.environ, "TRTEXEC": "/nowhere/trtexec"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "/nowhere/trtexec is absent" in done.stderr


def test_boards_without_tensorrt_get_nothing() -> None:
    assert project_files(ordinary_network(1), load("raspberry-pi-5")) == {}


def test_an_opset_that_the_board_does_not_read_is_refused() -> None:
    nano = load("jetson-nano")
    assert nano.gpu is not None
    older = nano.model_copy(update={"gpu": nano.gpu.model_copy(update={"onnx_opset": 11})})
    with pytest.raises(DoesNotFitError, match=r"opset 13, and TensorRT 8\.2 .* reads up to 11"):
        project_files(ordinary_network(1), older)
    assert set(project_files(ordinary_network(1), nano)) == {MODEL, SCRIPT}
