"""`python -m benchmarks.spine` on a real, short digits build and on models in a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tomli_w

from benchmarks import mlperf_tiny, spine
from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.exchange import tflite
from tests.conftest import SHORT_BUILD


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits_run: Path) -> list[str]:
    """One target, few images; an empty folder of models."""
    monkeypatch.setenv(mlperf_tiny.SHARED_VARIABLE, str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    config = tmp_path / "edgeflow.toml"
    config.write_text(tomli_w.dumps(SHORT_BUILD), encoding="utf-8")
    run_dir = tmp_path / "run"
    shutil.copytree(digits_run, run_dir)
    return [
        *("--target", "cortex-m4", "--config", str(config)),
        *("--run-dir", str(run_dir), "--images", "2"),
    ]


def test_json_is_one_document_with_every_figures_kind_and_what_is_absent(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "results" / "spine.json"
    assert spine.main([*arguments, "--json", "--output", str(output)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(output.read_text(encoding="utf-8"))
    (digits,) = document["measurements"]
    assert digits["bit_exact"]
    assert digits["accuracy"]["images"] == 359
    assert digits["accuracy"]["value"] > 0.5
    assert {figure["kind"] for figure in digits["figures"]} == {"simulated", "measured"}
    assert all(figure["unit"] and figure["source"] for figure in digits["figures"])
    assert document["command"].startswith("python -m benchmarks.spine --target cortex-m4")
    (remark,) = [text for text in document["remarks"] if text.startswith("absent models")]
    assert all(model.name in remark for model in mlperf_tiny.MODELS)


def test_models_are_measured_and_a_damaged_one_is_told_and_fails(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = tflite.write(lowered(REFERENCES[0]))
    (tmp_path / "shared" / "kws_dscnn_int8.tflite").write_bytes(model)
    (tmp_path / "shared" / "ad01_int8.tflite").write_bytes(model[:100])
    assert spine.main([*arguments, "--layers"]) == 1
    shown = capsys.readouterr().out
    assert "kws_dscnn_int8 on cortex-m4: layers, instructions simulated" in shown
    assert mlperf_tiny.sha256(model) in shown
    assert "ad01_int8: " in shown
    assert "interpreter: yes, 2/2" in shown


def test_an_unknown_target_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert spine.main(["--target", "cortex-m44"]) == 2
    assert "cortex-m4" in capsys.readouterr().err
