"""Builds for Linux: what they end with, what they refuse, and what their bundles hold."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.bundle.artifact import NATIVE
from edgeflow.bundle.manifest import read_bundle, write_bundle
from edgeflow.bundle.verify import verify
from edgeflow.errors import ConfigError, ExitCode
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import from_values
from edgeflow.pipeline.plan import make_plan
from tests.conftest import SHORT_BUILD
from tests.devices.aarch64 import needs_qemu_user, needs_x86_64

TARGETS = (
    pytest.param("linux-x86_64", marks=needs_x86_64),
    pytest.param("jetson-nano", marks=needs_qemu_user),
)


def _values(target: str, **sections: Mapping[str, Any]) -> dict[str, Any]:
    return {**SHORT_BUILD, "build": {"target": target}, **sections}


def _build(target: str, run_dir: Path, **sections: Mapping[str, Any]) -> BuildResult:
    return build(from_values(_values(target, **sections), "tests"), run_dir)


@pytest.fixture(scope="module", params=TARGETS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return _build(request.param, tmp_path_factory.mktemp("linux") / "run")


def _figures(result: BuildResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((result.run_dir / "figures.json").read_bytes())
    return document


def test_every_answer_of_the_device_is_the_interpreter_s(built: BuildResult) -> None:
    assert built.refusal is None
    checks = {row["name"]: row for row in _figures(built)["checks"]}
    assert checks["device bit-exact with the interpreter"]["detail"] == "all 359 images equal"


def test_time_is_told_where_the_device_is_real_and_nowhere_else(built: BuildResult) -> None:
    document = _figures(built)
    names = {row["name"] for row in document["figures"]}
    real = document["target"] == "linux-x86_64"
    assert ("latency" in names) is real
    assert all((row["seconds"] is not None) is real for row in document["layers"])
    assert all((row["instructions"] is None) is real for row in document["layers"])
    assert ("instructions per inference" in names) is not real
    text = built.report.read_text("utf-8") if built.report else ""
    assert ("microseconds" in text) is real
    assert ("Instruction counts are" in text) is not real


def test_the_bundle_verifies(built: BuildResult) -> None:
    assert built.bundle is not None
    found = verify(built.bundle)
    assert found.passed
    counted = "instructions" in {check.name for check in found.checks}
    assert (found.instructions is None) is not counted
    assert "runner against test/expected.npy" in {check.name for check in found.checks}


Change = Callable[[dict[str, bytes]], None]


def _forged(built: BuildResult, directory: Path, change: Change) -> Path:
    assert built.bundle is not None
    manifest, files = read_bundle(built.bundle)
    change(files)
    write_bundle(files, directory / "bundle", target=manifest.target, model=manifest.model)
    return directory / "bundle"


def test_another_runner_is_noticed(built: BuildResult, tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = "test/expected.npy"
        expected = bytearray(files[name])
        expected[-1] ^= 1
        files[name] = bytes(expected)

    found = verify(_forged(built, tmp_path, change))
    failed = {check.name for check in found.checks if not check.passed}
    assert "runner against test/expected.npy" in failed


def test_a_target_with_an_older_system_is_noticed(built: BuildResult, tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        target = json.loads(files["target.json"])
        target["linux"]["glibc"] = "2.1"
        files["target.json"] = json.dumps(target).encode()

    found = verify(_forged(built, tmp_path, change))
    failed = {check.name: check.detail for check in found.checks if not check.passed}
    assert "needs glibc 2." in failed["library against the target's system"]


def test_the_readme_s_commands_give_the_expected_answers(
    built: BuildResult, tmp_path: Path
) -> None:
    """As a user would on a board: the runner, and the test inputs without their header."""
    if _figures(built)["target"] != "linux-x86_64":
        pytest.skip("the other runner starts under an emulator only")
    assert built.bundle is not None
    readme = (built.bundle / "README.md").read_text("utf-8")
    assert "tail -c +129 inputs.npy > inputs" in readme
    runner = tmp_path / "edgeflow_runner"
    runner.write_bytes((built.bundle / NATIVE / runner.name).read_bytes())
    runner.chmod(runner.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "inputs.npy").write_bytes((built.bundle / "test/inputs.npy").read_bytes())
    for line in readme.splitlines():
        if line.strip().startswith(("tail -c", "./edgeflow_runner")):
            subprocess.run(["/bin/sh", "-ec", line], cwd=tmp_path, check=True)
    expected = np.load(built.bundle / "test/expected.npy")
    outputs = np.fromfile(tmp_path / "outputs", np.int8)
    assert np.array_equal(outputs.reshape(expected.shape), expected)
    assert np.fromfile(tmp_path / "times", np.uint64).shape == (1000,)


@pytest.mark.parametrize("_", [pytest.param("", marks=needs_x86_64)])
def test_a_missed_latency_is_refused_with_the_figures(_: str, tmp_path: Path) -> None:
    result = _build("linux-x86_64", tmp_path / "run", budget={"latency_seconds": 1e-9})
    assert result.refusal is not None
    assert result.refusal.exit_code is ExitCode.NEGATIVE_VERDICT
    assert "over the budget of 1 ns" in result.refusal.message
    assert result.bundle is None


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "time of an emulator": (
        _values("jetson-nano", budget={"latency_seconds": 0.01}),
        "jetson-nano is emulated here, and an emulator tells no time",
    ),
    "time of a microcontroller": (
        _values("cortex-m4", budget={"latency_seconds": 0.01}),
        "cortex-m4 is emulated, and an emulator tells no time",
    ),
    "instructions of Linux": (
        _values("linux-x86_64", budget={"instructions": 1000}),
        "nothing counts the instructions of linux-x86_64 on a machine",
    ),
    "growth": (_values("jetson-nano", grow={"enabled": True}), r"\[grow\] is for microcontr"),
    "search": (
        _values("jetson-nano", search={"enabled": True}, budget={"flash_bytes": 50000}),
        r"\[search\] is for microcontrollers",
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_a_device_cannot_tell_is_refused_before_anything_runs(name: str) -> None:
    values, told = IMPOSSIBLE[name]
    with pytest.raises(ConfigError, match=told):
        make_plan(from_values(values, "tests"))


def test_a_board_is_for_linux_targets_and_has_an_address() -> None:
    microcontroller = {"target": "cortex-m4", "device": "ssh://pi@board"}
    with pytest.raises(ConfigError, match="cortex-m4 is a microcontroller and has no ssh"):
        make_plan(from_values({**SHORT_BUILD, "build": microcontroller}, "tests"))
    nowhere = {"target": "jetson-nano", "device": "nano"}
    with pytest.raises(ConfigError, match=r"a board is named ssh://"):
        make_plan(from_values({**SHORT_BUILD, "build": nowhere}, "tests"))


def test_a_board_lets_a_budget_of_time_hold_and_is_no_part_of_the_bundle() -> None:
    build_section = {"target": "jetson-nano", "device": "ssh://pi@board"}
    values = _values("jetson-nano", budget={"latency_seconds": 0.01})
    plan = make_plan(from_values({**values, "build": build_section}, "tests"))
    assert plan.option("device") == "ssh://pi@board"
    assert "board" not in json.dumps(plan.option("config"))
