"""An integer model that is no classifier, on data without labels, from the file to the bundle."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeflow.bundle import assemble
from edgeflow.bundle.manifest import read_bundle, write_bundle
from edgeflow.bundle.summary import Summary
from edgeflow.bundle.verify import require, verify
from edgeflow.errors import ConfigError, DataError
from edgeflow.exchange import onnx_qdq, tflite
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.plan import make_plan
from tests.exchange.tflite_graphs import every_operator

COUNT = 6


def feature_map() -> Graph:
    """Every operator up to the pooling: the output is a map [1, height, width, 32]."""
    whole = every_operator(3)
    needed = {"average_pool"}
    for node in reversed(whole.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
    return replace(
        whole,
        tensors={name: tensor for name, tensor in whole.tensors.items() if name in needed},
        nodes=tuple(node for node in whole.nodes if needed.intersection(node.outputs)),
        outputs=("average_pool",),
    )


def config(folder: Path, model: str = "model.tflite", **budget: float) -> Config:
    return from_values(
        {
            "build": {"model": str(folder / model)},
            "data": {"source": str(folder / "samples.npz")},
            "budget": budget,
        },
        "test",
    )


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model in both forms, and samples without labels."""
    folder = tmp_path_factory.mktemp("brought")
    (folder / "model.tflite").write_bytes(tflite.write(feature_map()))
    (folder / "model.onnx").write_bytes(onnx_qdq.write(feature_map()))
    x = np.random.default_rng(0).uniform(-6, 6.7, (COUNT, 9, 8, 3))
    np.savez(folder / "samples.npz", x=x.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def built(brought: Path) -> BuildResult:
    return build(config(brought), brought / "run")


def test_the_bundle_holds_every_sample_the_answers_to_them_and_no_labels(
    built: BuildResult,
) -> None:
    assert built.refusal is None
    assert built.bundle is not None
    _, files = read_bundle(built.bundle)
    assert assemble.TEST_LABELS not in files
    inputs = assemble.load_npy(files[assemble.TEST_INPUTS])
    expected = assemble.load_npy(files[assemble.TEST_EXPECTED])
    assert inputs.shape == (COUNT, 9, 8, 3)
    answers = run_batch(feature_map(), inputs)
    assert answers.ndim == 4
    np.testing.assert_array_equal(expected, answers.reshape(COUNT, -1))
    assert np.unique(expected).size > 10  # answers that a wrong artifact could miss


def test_figures_report_and_readme_claim_no_accuracy(built: BuildResult) -> None:
    assert built.bundle is not None
    _, files = read_bundle(built.bundle)
    summary = Summary.model_validate_json(files[assemble.FIGURES])
    assert (summary.images, summary.accuracies) == (COUNT, ())
    assert not [check.name for check in summary.checks if "accuracy" in check.name]
    assert "no labels" in files[assemble.REPORT].decode()
    assert "accuracy" not in files[assemble.README].decode()


def test_both_forms_of_the_model_give_the_same_answers(brought: Path, built: BuildResult) -> None:
    other = build(config(brought, "model.onnx"), brought / "run-onnx")
    assert other.bundle is not None
    assert built.bundle is not None
    ours, theirs = (read_bundle(bundle)[1] for bundle in (built.bundle, other.bundle))
    assert theirs[assemble.TEST_EXPECTED] == ours[assemble.TEST_EXPECTED]


def test_the_bundle_verifies_and_an_invented_accuracy_is_noticed(
    built: BuildResult, tmp_path: Path
) -> None:
    assert built.bundle is not None
    verification = verify(built.bundle)
    require(verification)
    assert (verification.images, verification.accuracy) == (COUNT, None)
    assert "accuracy" not in {check.name for check in verification.checks}
    manifest, files = read_bundle(built.bundle)
    document = json.loads(files[assemble.FIGURES])
    invented = {"stage": "device", "split": "test", "value": 0.99, "images": COUNT}
    document["accuracies"] = [invented | {"kind": "measured", "source": "a wish"}]
    forged = {**files, assemble.FIGURES: json.dumps(document).encode()}
    write_bundle(forged, tmp_path / "forged", target=manifest.target, model=manifest.model)
    found = verify(tmp_path / "forged")
    assert [check.name for check in found.checks if not check.passed] == ["accuracy"]


def test_a_budget_of_accuracy_is_refused_before_anything_runs(brought: Path) -> None:
    with pytest.raises(ConfigError, match="no labels") as caught:
        make_plan(config(brought, accuracy=0.5))
    assert "leave the budget" in caught.value.hint


def test_other_budgets_hold(brought: Path, built: BuildResult, tmp_path: Path) -> None:
    shutil.copytree(built.run_dir, tmp_path / "run")
    refused = build(config(brought, instructions=10), tmp_path / "run")
    assert refused.refusal is not None
    assert "over the budget of 10" in refused.refusal.message
    assert refused.bundle is None


def test_labels_of_another_number_of_classes_are_refused_and_the_way_out_is_named(
    brought: Path, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).uniform(-6, 6.7, (30, 9, 8, 3)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", x=x, y=np.arange(30) % 3)
    (tmp_path / "model.tflite").write_bytes((brought / "model.tflite").read_bytes())
    with pytest.raises(DataError, match="has 3 classes") as caught:
        build(config(tmp_path), tmp_path / "run")
    assert "without labels" in caught.value.hint


def test_training_needs_labels(brought: Path, tmp_path: Path) -> None:
    options = {"build": {"model": "small"}, "data": {"source": str(brought / "samples.npz")}}
    with pytest.raises(DataError, match=r"samples\.npz has no labels") as caught:
        build(from_values(options, "test"), tmp_path / "run")
    assert "y beside x" in caught.value.hint
