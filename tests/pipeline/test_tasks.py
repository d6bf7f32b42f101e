"""Regression and anomaly detection from the data to the bundle, on an emulated Cortex-M4."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, roc_auc_score, root_mean_squared_error

from edgeflow.bundle import assemble
from edgeflow.bundle.manifest import read_bundle, write_bundle
from edgeflow.bundle.summary import ScoreRow, Summary
from edgeflow.bundle.verify import verify
from edgeflow.data.options import DataOptions
from edgeflow.data.postprocessing import Postprocessing
from edgeflow.data.score import ScoreName
from edgeflow.data.sources import load
from edgeflow.data.task import Task
from edgeflow.errors import ConfigError, DataError
from edgeflow.exchange import tflite
from edgeflow.gate.scoring import real
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.plan import make_plan
from tests.shared_data import shared_file


def config(data: dict[str, Any], model: str | None = None, **budget: float) -> Config:
    values: dict[str, Any] = {"data": data, "budget": budget, "quantize": {"epochs": 4}}
    if model is not None:
        values["build"] = {"model": model}
    return from_values(values, "test")


def opened(result: BuildResult) -> tuple[dict[str, bytes], Summary, Postprocessing]:
    assert result.bundle is not None
    files = dict(read_bundle(result.bundle)[1])
    meaning = Postprocessing.model_validate_json(files[assemble.POSTPROCESSING])
    return files, Summary.model_validate_json(files[assemble.FIGURES]), meaning


def row(summary: Summary, name: ScoreName, stage: str, split: str = "test") -> ScoreRow:
    (found,) = (
        row
        for row in summary.all_scores
        if (row.name, row.stage, row.split) == (name, stage, split)
    )
    return found


def answers(files: dict[str, bytes], meaning: Postprocessing) -> NDArray[np.float64]:
    """Real outputs from what the bundle holds alone."""
    assert meaning.output is not None
    return real(assemble.load_npy(files[assemble.TEST_EXPECTED]), meaning.output)


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """442 patients, 10 features, progression of the disease a year later (25 to 346)."""
    folder = tmp_path_factory.mktemp("diabetes")
    bunch = load_diabetes()
    np.savez(folder / "diabetes.npz", x=bunch.data, y=bunch.target)
    return {"source": str(folder / "diabetes.npz"), "task": "regression"}


@pytest.fixture(scope="module")
def regression(diabetes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return build(config(diabetes, rmse=70.0), tmp_path_factory.mktemp("regression"))


@pytest.fixture(scope="module")
def anomaly(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    data = {"source": "digits", "normal_class": "1"}
    return build(config(data, auc=0.9), tmp_path_factory.mktemp("anomaly"))


def test_regression_on_the_device_is_as_good_as_a_linear_model(
    regression: BuildResult, diabetes: dict[str, Any]
) -> None:
    _, summary, _ = opened(regression)
    data = load(DataOptions.model_validate(diabetes))
    x, y = ({n: getattr(getattr(data, n), a) for n in ("train", "test")} for a in "xy")
    line = LinearRegression().fit(x["train"].reshape(-1, 10), y["train"])
    assert data.target is not None
    said = data.target.in_unit(line.predict(x["test"].reshape(-1, 10)))
    bar = root_mean_squared_error(data.target.in_unit(y["test"]), said)
    assert row(summary, ScoreName.RMSE, "device").value < 1.1 * bar
    assert row(summary, ScoreName.R2, "device").value > 0.4


def test_int8_costs_regression_less_than_a_hundredth_of_its_error(regression: BuildResult) -> None:
    _, summary, _ = opened(regression)
    device = row(summary, ScoreName.RMSE, "device").value
    assert device == row(summary, ScoreName.RMSE, "int8, interpreter").value
    assert device == pytest.approx(row(summary, ScoreName.RMSE, "float").value, rel=0.02)
    assert row(summary, ScoreName.RMSE, "device").better == "smaller"


def test_the_bundle_tells_how_answers_become_values_in_the_target_unit(
    regression: BuildResult,
) -> None:
    files, summary, meaning = opened(regression)
    assert (meaning.task, summary.task) == (Task.REGRESSION, Task.REGRESSION)
    assert meaning.target is not None
    values = meaning.target.in_unit(answers(files, meaning))
    wanted = assemble.load_npy(files[assemble.TEST_LABELS])
    assert sorted(set(wanted.ravel())) == pytest.approx(sorted(set(wanted.round().ravel())))
    assert row(summary, ScoreName.RMSE, "device").value == pytest.approx(
        root_mean_squared_error(wanted, values)
    )
    assert row(summary, ScoreName.R2, "device").value == pytest.approx(r2_score(wanted, values))
    assert meaning.output is not None
    readme = files[assemble.README].decode()
    assert meaning.output.zero_point < 0
    said = f"(q + {-meaning.output.zero_point}) * {meaning.output.scale!r}"
    assert f"{said} * {meaning.target.scale[0]!r} + {meaning.target.offset[0]!r} is in" in readme
    header = files["firmware/edgeflow_model.h"].decode()
    assert f"EDGEFLOW_OUTPUT_ZERO_POINT ({meaning.output.zero_point})" in header


def test_a_budget_of_rmse_refuses_what_is_worse(
    regression: BuildResult, diabetes: dict[str, Any], tmp_path: Path
) -> None:
    assert regression.refusal is None
    shutil.copytree(regression.run_dir, tmp_path / "run")
    refused = build(config(diabetes, rmse=30.0), tmp_path / "run")
    assert refused.refusal is not None
    assert "RMSE on the device" in refused.refusal.message
    assert "above the wanted 30" in refused.refusal.message
    # Only the verdict is new: what was trained and run is used again.
    assert {s.stage for s in refused.stages if not s.cached} == {"gate", "report"}


def test_the_report_shows_errors_in_the_target_unit(regression: BuildResult) -> None:
    files, _, _ = opened(regression)
    report = files[assemble.REPORT].decode()
    assert "RMSE, in the target&#39;s unit" in report
    assert "The task is regression" in report
    assert "accuracy" not in report


def test_another_affine_in_the_bundle_is_noticed(regression: BuildResult, tmp_path: Path) -> None:
    assert regression.bundle is not None
    manifest, files = read_bundle(regression.bundle)
    document = json.loads(files[assemble.POSTPROCESSING])
    document["target"]["offset"] = [0.0]
    forged = {**files, assemble.POSTPROCESSING: json.dumps(document).encode()}
    write_bundle(forged, tmp_path / "forged", target=manifest.target, model=manifest.model)
    found = verify(tmp_path / "forged")
    assert [check.name for check in found.checks if not check.passed] == ["RMSE", "MAE", "R2"]
    document["output"]["scale"] *= 2.0
    forged[assemble.POSTPROCESSING] = json.dumps(document).encode()
    write_bundle(forged, tmp_path / "wrong", target=manifest.target, model=manifest.model)
    failed = [check.name for check in verify(tmp_path / "wrong").checks if not check.passed]
    assert failed[0] == "postprocessing.json against model.tflite"


def test_anomalies_are_found_better_than_by_the_distance_to_the_mean(anomaly: BuildResult) -> None:
    _, summary, _ = opened(anomaly)
    assert (summary.task, summary.model) == (Task.ANOMALY, "autoencoder")
    data = load(DataOptions(normal_class="1"))
    distance = np.square(data.test.x - data.train.x.mean(axis=0)).mean(axis=(1, 2, 3))
    bar = roc_auc_score(data.test.labels, distance)
    found = row(summary, ScoreName.AUC, "device").value
    assert found > bar + 0.05
    assert found > 0.97
    assert found == pytest.approx(row(summary, ScoreName.AUC, "float").value, abs=0.01)


def test_auc_is_counted_from_what_the_device_rebuilt(anomaly: BuildResult) -> None:
    files, summary, meaning = opened(anomaly)
    grid = tflite.read(files[assemble.MODEL_TFLITE]).tensors["input"].quantization
    assert grid is not None
    inputs = assemble.load_npy(files[assemble.TEST_INPUTS]).reshape(summary.images, -1)
    x = (inputs.astype(float) - grid.zero_points[0]) * grid.scales[0]
    wrong = np.square(answers(files, meaning) - x).mean(axis=1)
    marks = assemble.load_npy(files[assemble.TEST_LABELS])
    assert row(summary, ScoreName.AUC, "device").value == pytest.approx(
        roc_auc_score(marks, wrong), abs=1e-4
    )


def test_the_bundle_proposes_a_threshold_and_says_what_it_finds(anomaly: BuildResult) -> None:
    files, summary, meaning = opened(anomaly)
    assert meaning.normal is not None
    normal = meaning.normal
    assert normal.samples == 27
    assert 0.0 < normal.mean < normal.percentile_95 <= normal.largest
    found = summary.figure("anomalies found, threshold at 95 % of normal samples")
    false = summary.figure("false alarms, threshold at 95 % of normal samples")
    assert found.value > 0.9
    assert false.value < 0.3
    assert f"{normal.percentile_95:.4g} for 95 %" in files[assemble.README].decode()


def test_training_of_an_autoencoder_is_chosen_by_normal_samples(anomaly: BuildResult) -> None:
    _, summary, _ = opened(anomaly)
    kinds = {(row.name, row.split) for row in summary.scores}
    assert kinds == {(ScoreName.RECONSTRUCTION, "validation"), (ScoreName.AUC, "test")}
    first, last = summary.epochs[0], summary.epochs[39]
    assert last.score > first.score
    assert last.loss < first.loss


@pytest.mark.parametrize("built", ["regression", "anomaly"])
def test_the_bundle_verifies(built: str, request: pytest.FixtureRequest) -> None:
    result: BuildResult = request.getfixturevalue(built)
    assert result.bundle is not None
    found = verify(result.bundle)
    assert found.passed
    assert found.accuracy is None
    wanted = {"regression": {"RMSE", "MAE", "R2"}, "anomaly": {"AUC"}}[built]
    assert wanted <= {check.name for check in found.checks}


def test_a_classifier_is_refused_for_anomalies_and_the_default_is_an_autoencoder() -> None:
    data = {"normal_class": "1"}
    with pytest.raises(ConfigError, match="small is a classifier") as caught:
        make_plan(config(data, model="small"))
    assert "autoencoder" in caught.value.hint
    assert make_plan(config(data)).config.build.model == "autoencoder"
    kept = make_plan(config(data, model="mlperf-autoencoder"))
    assert kept.config.build.model == "mlperf-autoencoder"
    grown = make_plan(from_values({"data": data, "grow": {"enabled": True}}, "test"))
    assert grown.config.build.model == "autoencoder"


@pytest.mark.parametrize(
    ("data", "budget", "hint"),
    [
        ({}, {"rmse": 1.0}, "use the budget accuracy="),
        ({"normal_class": "1"}, {"accuracy": 0.9}, "use the budget auc="),
        ({}, {"auc": 0.9}, "task = 'anomaly'"),
    ],
)
def test_a_budget_of_another_task_is_refused_before_anything_runs(
    data: dict[str, Any], budget: dict[str, float], hint: str
) -> None:
    with pytest.raises(ConfigError, match="not judged by") as caught:
        make_plan(config(data, **budget))
    assert hint in caught.value.hint


def machine_sounds(graph: Graph, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Samples that the model rebuilds (its own answers), and random spectra that it does not."""
    taken, given = (graph.tensors[n[0]].quantization for n in (graph.inputs, graph.outputs))
    assert taken is not None
    assert given is not None
    walks = np.random.default_rng(0).normal(0.0, 1.0, (2 * count, 640)).cumsum(axis=1) - 20.0
    x = walks
    for _ in range(2):
        q = np.clip(np.round(x / taken.scales[0]) + taken.zero_points[0], -128, 127)
        x = (run_batch(graph, q.astype(np.int8)) - float(given.zero_points[0])) * given.scales[0]
    return x[:count].astype(np.float32), walks[count:].clip(-80, 14).astype(np.float32)


def test_an_integer_autoencoder_finds_anomalies_without_training(tmp_path: Path) -> None:
    model = shared_file("ad01_int8.tflite")
    normal, anomalous = machine_sounds(tflite.read(model.read_bytes()), 24)
    np.savez(
        tmp_path / "sounds.npz",
        x_train=normal[:12],
        x_test=np.concatenate([normal[12:], anomalous[:8]]),
        y_test=np.repeat([0, 1], [12, 8]),
    )
    data = {"source": str(tmp_path / "sounds.npz")}
    result = build(config(data, model=str(model), auc=0.9), tmp_path / "run")
    assert result.refusal is None
    _, summary, _ = opened(result)
    assert [(s.name, s.stage) for s in summary.scores] == [
        (ScoreName.AUC, "int8, interpreter"),
        (ScoreName.AUC, "device"),
    ]
    assert row(summary, ScoreName.AUC, "device").value > 0.95


def test_an_integer_model_of_other_outputs_than_inputs_rebuilds_nothing(tmp_path: Path) -> None:
    model = shared_file("kws_dscnn_int8.tflite")
    x = np.random.default_rng(0).uniform(-110, 20, (30, 49, 10)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x_train=x[:20], x_test=x[20:], y_test=np.arange(10) % 2)
    data = {"source": str(tmp_path / "d.npz")}
    with pytest.raises(DataError, match="490 elements to rebuild"):
        build(config(data, model=str(model)), tmp_path / "run")
