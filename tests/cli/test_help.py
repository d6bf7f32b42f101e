from __future__ import annotations

import re
import subprocess
import sys

import pytest

from edgeflow.nets.registry import NETWORKS
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


@pytest.mark.parametrize(
    "command",
    ["", "build", "verify", "report", "init", "targets show", "targets validate", "doctor"],
)
def test_help_shows_whole_sentences_and_plain_arguments(command: str) -> None:
    told = edgeflow(*command.split(), "--help", COLUMNS="80").out
    assert not re.search(r"[a-z,]\.\.\.", told)
    assert "[[" not in told


def test_help_of_build_says_defaults_examples_and_exit_codes() -> None:
    told = " ".join(edgeflow("build", "--help", COLUMNS="80").out.split())
    for text in (
        *("(default: cortex-m4)", "(default: digits)", "(default: small)", "edgeflow init"),
        *("edgeflow build --target cortex-m4", "Exit codes: 0 done"),
    ):
        assert text in told
    assert [name for name in NETWORKS if name not in told] == []
