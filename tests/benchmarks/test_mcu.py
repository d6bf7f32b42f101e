"""`python -m benchmarks.mcu` on a small model: ours measured, the yardstick beside it, the bars."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks import mcu, mlperf_tiny, yardstick
from benchmarks.bars import BARS, Row, ratios
from benchmarks.mcu_table import as_document, markdown
from benchmarks.measurement import Measurement, Samples, measure
from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.exchange import tflite
from edgeflow.targets.registry import load
from tests.backends.tflm_checkouts import real_checkouts, write_checkouts


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models; no checkouts in the environment."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setenv(mlperf_tiny.SHARED_VARIABLE, str(folder))
    for variable in (
        yardstick.TFLM_VARIABLE,
        yardstick.CMSIS_NN_VARIABLE,
        yardstick.INCLUDE_VARIABLE,
    ):
        monkeypatch.delenv(variable, raising=False)
    return folder


@cache
def ours() -> Measurement:
    x = np.random.default_rng(5).integers(-128, 128, (2, 8, 8, 1), dtype=np.int8)
    samples = Samples(x, None, "two random inputs")
    return measure("small", lowered(REFERENCES[0]), load("cortex-m4"), samples, (), ())


def yardstick_that_costs(times: float) -> Measurement:
    """A measurement whose every figure that a bar concerns is `times` ours."""
    m = ours()
    beyond = (m.flash_bytes - m.weight_bytes) * times
    return replace(
        m,
        instructions=m.instructions * times,
        arena_bytes=int(m.arena_bytes * times),
        stack_bytes=int(m.stack_bytes * times),
        flash_bytes=m.weight_bytes + int(beyond),
    )


def test_a_model_is_measured_on_every_core_and_what_is_absent_is_told(
    shared: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (shared / "kws_dscnn_int8.tflite").write_bytes(tflite.write(lowered(REFERENCES[0])))
    output = tmp_path / "results" / "mcu.json"
    targets = ["--target", "cortex-m4", "--target", "cortex-m0plus"]
    assert mcu.main([*targets, "--images", "2", "--json", "--output", str(output)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(output.read_text(encoding="utf-8"))
    assert [row["core"] for row in document["rows"]] == ["Cortex-M4", "Cortex-M0+"]
    for row in document["rows"]:
        figures = {figure["name"]: figure for figure in row["edgeflow"]["figures"]}
        assert figures["instructions"]["kind"] == "simulated"
        assert figures["arena"]["value"] > 0
        assert (row["tflm"], row["ratios"]) == (None, [])
        assert row["edgeflow"]["layers"]
        assert all(c["equal"] == c["images"] == 2 for c in row["edgeflow"]["comparisons"])
    remarks = "\n".join(document["remarks"])
    assert "absent models: ic_resnet8_int8" in remarks
    assert "EDGEFLOW_SHARED" in remarks
    assert "no yardstick" in remarks


def test_layers_are_shown_on_request(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shared / "sww_int8.tflite").write_bytes(tflite.write(lowered(REFERENCES[0])))
    arguments = ["--target", "cortex-m4", "--images", "1", "--model", "sww_int8", "--layers"]
    assert mcu.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "sww_int8 on Cortex-M4: layers, instructions simulated" in shown
    assert "CONV_2D in=1x8x8x1" in shown
    assert "absent" not in shown


def test_a_damaged_model_is_told_and_fails(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shared / "ad01_int8.tflite").write_bytes(tflite.write(lowered(REFERENCES[0]))[:100])
    assert mcu.main(["--target", "cortex-m4", "--model", "ad01_int8"]) == 1
    assert "ad01_int8: " in capsys.readouterr().out


def test_checkouts_without_their_files_are_a_problem_of_every_row(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shared / "sww_int8.tflite").write_bytes(tflite.write(lowered(REFERENCES[0])))
    tflm, cmsis_nn = write_checkouts(tmp_path)
    (tflm / "tensorflow/lite/micro/micro_interpreter.h").unlink()
    arguments = ["--target", "cortex-m4", "--images", "1", "--model", "sww_int8"]
    assert mcu.main([*arguments, "--tflm-path", str(tflm), "--cmsis-nn-path", str(cmsis_nn)]) == 1
    shown = capsys.readouterr().out
    assert "no checkout of TensorFlow Lite" in " ".join(shown.split())


def test_bars_hold_up_to_their_fraction_of_the_yardstick() -> None:
    target = load("cortex-m4")
    found = ratios(ours(), yardstick_that_costs(2.0), target)
    assert [ratio.value for ratio in found] == pytest.approx([0.5, 0.5, 0.5], rel=1e-3)
    assert [ratio.passed for ratio in found] == [True, True, False]
    assert [ratio.passed for ratio in ratios(ours(), yardstick_that_costs(2.6), target)] == [
        True,
        True,
        True,
    ]
    vectors = load("mps3-an547").core.name
    assert (BARS[target.core.name].instructions, BARS[vectors].instructions) == (0.6, 0.75)


def test_a_core_without_bars_has_ratios_alone() -> None:
    found = ratios(ours(), yardstick_that_costs(2.0), load("cortex-m33"))
    assert {ratio.passed for ratio in found} == {None}


def test_the_markdown_shows_both_engines_the_ratios_and_what_is_missed() -> None:
    target = load("cortex-m4")
    theirs = yardstick_that_costs(2.0)
    rows = [
        Row(target.core.name, ours(), theirs, ratios(ours(), theirs, target)),
        Row("Cortex-M0+", ours(), None, ()),
    ]
    lines = markdown(as_document("command", "0", rows, ())).splitlines()
    assert lines[2].startswith("| small | Cortex-M4 | edgeflow | ")
    assert f"{theirs.instructions:,.0f}" in lines[3]
    assert "**0.500** of 0.60 |" in lines[4]
    assert "**0.500** of 0.40, missed |" in lines[4]
    assert lines[5].startswith("| small | Cortex-M0+ | edgeflow | ")
    assert len(lines) == 6


def test_results_name_no_place_of_a_machine() -> None:
    given = ["--tflm-path", "/home/me/tflite-micro", "--model", "sww_int8"]
    assert yardstick.portable_arguments(given) == [
        "--tflm-path",
        "tflite-micro",
        "--model",
        "sww_int8",
    ]


@pytest.mark.tflm
def test_the_yardstick_is_measured_layer_by_layer() -> None:
    options = real_checkouts()
    graph = lowered(REFERENCES[0])
    x = np.random.default_rng(5).integers(-128, 128, (2, 8, 8, 1), dtype=np.int8)
    samples = Samples(x, None, "two random inputs")
    measured = yardstick.measure_yardstick(
        "small", tflite.write(graph), graph, load("cortex-m4"), samples, (), options
    )
    assert [layer.name for layer in measured.layers] == [node.name for node in graph.nodes]
    between = measured.instructions - sum(layer.instructions for layer in measured.layers)
    assert 100 < between < 2000
    assert measured.instructions > ours().instructions
    assert measured.macs == ours().macs
