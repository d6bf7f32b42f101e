from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, edgeflow

HEAVY = (
    *("torch", "nncf", "onnx", "matplotlib", "sklearn", "scipy"),
    *("unicorn", "tflite", "numpy", "rich", "jinja2", "PIL"),
)


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from edgeflow.cli.app import run; code = run(sys.argv[1:]); "
        f"print([name for name in {HEAVY} if name in sys.modules]); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command() -> None:
    told = edgeflow("--help").out
    commands = ["build", "verify", "report", "targets", "profiles", "doctor", "init"]
    assert [command for command in commands if command not in told] == []


def test_no_command_is_a_usage_error() -> None:
    ended = edgeflow()
    assert ended.code == 2
    assert "build" in ended.err
    assert ended.out == ""


def test_lists_are_one_document() -> None:
    names = [row["name"] for row in edgeflow("targets", "list", "--json").document["targets"]]
    assert "cortex-m4" in names
    assert edgeflow("profiles", "list", "--json").document["profiles"] is not None
