"""The race of engines on this machine: who takes part, who wins, and what becomes of the winner."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

from edgeflow.backends.runtimes.forms import FORMS
from edgeflow.bundle.manifest import read_bundle, write_bundle
from edgeflow.bundle.verify import verify
from edgeflow.errors import ConfigError, VerdictError
from edgeflow.figures import Unit, quantity
from edgeflow.gate.agreement import agreement
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import from_values
from edgeflow.pipeline.plan import make_plan
from tests.backends.tvm.presence import needs_tvm
from tests.conftest import SHORT_BUILD
from tests.devices.aarch64 import needs_x86_64

pytestmark = needs_x86_64
TARGET = "linux-x86_64"
OURS = ("edgeflow", "int8")


def _build(run_dir: Path, **options: Any) -> BuildResult:
    values = {**SHORT_BUILD, "build": {"target": TARGET, **options}}
    return build(from_values(values, "tests"), run_dir)


def _figures(result: BuildResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((result.run_dir / "figures.json").read_bytes())
    return document


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return _build(tmp_path_factory.mktemp("race") / "all")


@pytest.fixture(scope="module")
def litert(raced: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The same build with the one engine, which is then the artifact."""
    run_dir = tmp_path_factory.mktemp("race") / "litert"
    shutil.copytree(raced.run_dir, run_dir)
    return _build(run_dir, engine="litert")


def test_every_engine_and_precision_takes_part_and_is_measured(raced: BuildResult) -> None:
    rows = _figures(raced)["race"]
    named = {(row["engine"], row["precision"]) for row in rows}
    assert named == {OURS, *((engine.value, precision.value) for engine, precision in FORMS)}
    for row in rows:
        assert row["outcome"] in ("chosen", "slower"), row["detail"]
        assert row["kind"] == "measured"
        assert row["seconds"] > 0
        assert row["score"] > 0.5


def test_the_fastest_is_chosen_and_its_time_is_the_artifact_s(raced: BuildResult) -> None:
    document = _figures(raced)
    (chosen,) = (row for row in document["race"] if row["outcome"] == "chosen")
    assert chosen["seconds"] == min(row["seconds"] for row in document["race"])
    assert document["engine"] == chosen["engine"]
    (latency,) = (row for row in document["figures"] if row["name"] == "latency")
    assert latency["value"] == chosen["seconds"]
    assert raced.report is not None
    text = raced.report.read_text("utf-8")
    for row in document["race"]:
        assert f"<td>{row['engine']} {row['precision']}</td>" in text
        assert f'<td class="n">{quantity(row["seconds"], Unit.SECONDS)}</td>' in text


def test_with_one_engine_it_alone_takes_part_and_is_the_artifact(litert: BuildResult) -> None:
    document = _figures(litert)
    assert {row["engine"] for row in document["race"]} == {"litert"}
    assert document["engine"] == "litert"
    assert "must have it installed" in document["remark"]
    checks = {row["name"]: row for row in document["checks"]}
    assert checks["answers on the device as near as the task asks"]["passed"]
    assert "device bit-exact with the interpreter" not in checks
    trained = {s.stage: s.cached for s in litert.stages}
    assert trained["train"]
    assert trained["run"]


def test_its_bundle_verifies_and_holds_no_firmware(litert: BuildResult) -> None:
    assert litert.bundle is not None
    found = verify(litert.bundle)
    assert found.passed
    _, files = read_bundle(litert.bundle)
    assert {"runtime/model.json", "runtime/model.tflite", "runtime/run_model.py"} <= set(files)
    assert not any(name.startswith("native/") for name in files)


def test_the_readme_s_commands_give_answers_near_the_expected_ones(
    litert: BuildResult, tmp_path: Path
) -> None:
    assert litert.bundle is not None
    readme = (litert.bundle / "README.md").read_text("utf-8")
    assert "python3 runtime/run_model.py answers inputs outputs" in readme
    rows = (litert.bundle / "test" / "inputs.npy").read_bytes()[128:]
    (tmp_path / "inputs").write_bytes(rows)
    script = litert.bundle / "runtime" / "run_model.py"
    command = [sys.executable, str(script), "answers", "inputs", "outputs"]
    subprocess.run(command, cwd=tmp_path, check=True)
    expected = np.load(litert.bundle / "test" / "expected.npy")
    answers = np.frombuffer((tmp_path / "outputs").read_bytes(), np.int8)
    assert agreement(expected, answers.reshape(expected.shape)).mean < 1


def test_another_model_in_the_bundle_is_noticed(litert: BuildResult, tmp_path: Path) -> None:
    assert litert.bundle is not None
    manifest, files = read_bundle(litert.bundle)
    model = bytearray(files["runtime/model.tflite"])
    stored = tflite.Model.GetRootAs(model)
    buffers = [stored.Buffers(n) for n in range(stored.BuffersLength())]
    weights = max(buffers, key=lambda each: each.DataLength()).DataAsNumpy()
    weights ^= 0x80  # other values in any type: all signs, and in float32 what lies below them
    files["runtime/model.tflite"] = bytes(model)
    write_bundle(files, tmp_path / "bundle", target=manifest.target, model=manifest.model)
    failed = [check for check in verify(tmp_path / "bundle").checks if not check.passed]
    assert any(check.name.endswith("against test/expected.npy") for check in failed)
    assert any(check.name == "accuracy" for check in failed)


def test_a_latency_budget_is_held_against_the_chosen_engine(
    litert: BuildResult, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(litert.run_dir, run_dir)
    values = {**SHORT_BUILD, "build": {"target": TARGET, "engine": "litert"}}
    budget = {"latency_seconds": 1e-9}
    result = build(from_values({**values, "budget": budget}, "tests"), run_dir)
    assert isinstance(result.refusal, VerdictError)
    assert "latency" in result.refusal.message
    assert result.report is not None


@pytest.mark.parametrize(
    ("target", "told"),
    [("cortex-m4", "is for Linux"), ("jetson-nano", "the emulator has no such engine")],
)
def test_an_engine_that_cannot_run_there_is_refused_before_anything(target: str, told: str) -> None:
    config = from_values({"build": {"target": target, "engine": "litert"}}, "tests")
    with pytest.raises(ConfigError, match=told):
        make_plan(config)


@needs_tvm[1]
def test_a_target_with_a_gpu_gets_kernels_for_it_beside_the_artifact(
    raced: BuildResult, tmp_path: Path
) -> None:
    """No GPU is at hand in this test, or one is: the row says which."""
    pytest.importorskip("nvidia.cuda_nvrtc")
    shutil.copytree(raced.run_dir, tmp_path / "run")
    result = build(
        from_values({**SHORT_BUILD, "build": {"target": "cuda"}}, "tests"), tmp_path / "run"
    )
    *_, row = _figures(result)["race"]
    assert (row["engine"], row["precision"]) == ("cuda", "float16")
    if row["outcome"] == "compiled, not run":
        assert row["seconds"] is None
        assert "kernels for sm_60 in PTX 7.0" in row["detail"]
        assert "libcuda.so.1" in row["detail"] or "device" in row["detail"]
    else:
        assert row["outcome"] == "in the bundle beside it"
        assert row["seconds"] > 0
    assert result.bundle is not None
    _, files = read_bundle(result.bundle)
    assert {"gpu/edgeflow_kernels.ptx", "gpu/edgeflow_gpu.c", "native/edgeflow_runner"} <= set(
        files
    )
    assert "gpu/edgeflow_gpu_runner answers" in (result.bundle / "README.md").read_text("utf-8")
