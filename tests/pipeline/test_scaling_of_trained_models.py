"""Data reaches a network that comes with its weights in the scaling that it was trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeflow.errors import DataError
from edgeflow.exchange import onnx_qdq, tflite
from edgeflow.graph.ir import FullyConnected, Graph, OpKind, Quantization
from edgeflow.pipeline.config import from_values
from edgeflow.pipeline.plan import Plan, make_plan
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps import data, import_integer
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.inputs import quantized_inputs
from edgeflow.progress import silent
from tests.graph.builder import GraphBuilder

PIXELS = 12
LABELS = np.arange(90) % 3


def dense(scale: float, zero_point: int) -> Graph:
    b = GraphBuilder()
    x = b.input((1, PIXELS), Quantization((scale,), (zero_point,)))
    weights = b.constant(np.ones((3, PIXELS), np.int8), Quantization((0.01,), (0,)))
    bias = b.constant(np.zeros(3, np.int32), Quantization((scale * 0.01,), (0,)))
    y = b.node(
        OpKind.FULLY_CONNECTED, [x, weights, bias], FullyConnected(), Quantization((1,), (0,))
    )
    return b.build([y.name])


def imported(folder: Path, scale: float, zero_point: int, x: np.ndarray, **options: object) -> Plan:
    """The plan of a build on samples `x`, with its stages data and import run."""
    model, samples = folder / "model.tflite", folder / "samples.npz"
    model.write_bytes(tflite.write(dense(scale, zero_point)))
    np.savez(samples, x=x, y=LABELS)
    sections = {"build": {"model": str(model)}, "data": {"source": str(samples), **options}}
    plan = make_plan(from_values(sections, "test"))
    for name in ("data", "import"):
        (folder / name).mkdir()
    data.run(StageContext(plan, {}, folder / "data", silent, folder / "unfinished"))
    inputs = {"data": folder / "data"}
    import_integer.run(StageContext(plan, inputs, folder / "import", silent, folder / "unfinished"))
    return plan


def images() -> np.ndarray:
    x = np.random.default_rng(0).integers(0, 256, (90, 2, 2, 3), dtype=np.uint8)
    x[:, 0, 0, 0] = 255
    return x


# What converters make of networks that take 0 to 255, 0 to 1, -1 to 1, and -1.5 to 3.
@pytest.mark.parametrize(
    ("scale", "zero_point"), [(1.0, -128), (1 / 255, -128), (2 / 255, 0), (4.5 / 255, -43)]
)
def test_images_fill_the_input_of_an_integer_model(
    tmp_path: Path, scale: float, zero_point: int
) -> None:
    imported(tmp_path, scale, zero_point, images())
    dataset = read_dataset(tmp_path / "data")
    found = quantized_inputs(dense(scale, zero_point), dataset, dataset.test.x)
    wanted = dataset.test.x.astype(np.int64).reshape(found.shape) - 128
    assert np.abs(found - wanted).max() <= (1 if zero_point == 0 else 0)


def test_an_input_range_that_was_calibrated_stands_for_the_usual_one(tmp_path: Path) -> None:
    plan = imported(tmp_path, 0.97 / 255, -128, images())
    assert plan.config.data.value_range == (0.0, 1.0)


def test_features_reach_an_integer_model_as_they_are(tmp_path: Path) -> None:
    x = np.random.default_rng(1).uniform(20, 60, (90, PIXELS)).astype(np.float32)
    imported(tmp_path, 0.5, -128, x)
    affine = read_dataset(tmp_path / "data").preprocessing.affine
    assert (affine.scale, affine.offset) == ((1.0,), (0.0,))


@pytest.mark.parametrize(
    "options", [{"scaling": "range"}, {"scaling": "range", "value_range": (0.0, 1e6)}]
)
def test_data_that_the_input_cannot_tell_apart_is_refused(
    tmp_path: Path, options: dict[str, object]
) -> None:
    with pytest.raises(DataError, match=r"input holds 0 to 255; .* int8 values are left"):
        imported(tmp_path, 1.0, -128, images(), **options)


def test_features_in_another_scaling_than_the_models_are_refused_unless_told(
    tmp_path: Path,
) -> None:
    x = np.random.default_rng(1).uniform(-1, 1, (90, PIXELS)).astype(np.float32)
    x[:, 0] *= 100
    with pytest.raises(DataError, match=r"input holds -1 to .* 8% is clipped"):
        imported(tmp_path, 1 / 128, 0, x)
    (tmp_path / "told").mkdir()
    imported(tmp_path / "told", 1 / 128, 0, x, scaling="none")


def test_what_the_user_says_goes_before_what_the_model_says(tmp_path: Path) -> None:
    plan = imported(tmp_path, 1.0, -128, images(), value_range=(0.0, 200.0))
    assert plan.config.data.value_range == (0.0, 200.0)
    assert read_dataset(tmp_path / "data").preprocessing.affine.scale == (
        float(np.float32(200 / 255)),
    )


def test_both_forms_of_an_integer_model_ask_for_the_same_range(tmp_path: Path) -> None:
    graph = dense(2 / 255, 0)
    forms = {"m.tflite": tflite.write(graph), "m.onnx": onnx_qdq.write(graph)}
    ranges = []
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        plan = make_plan(from_values({"build": {"model": str(tmp_path / name)}}, "test"))
        ranges.append(plan.config.data.value_range)
    assert ranges == [(-1.0, 1.0)] * 2
