"""Regression data: layouts, standardization, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.data.dataset import Dataset
from edgeflow.data.options import DataOptions, TaskChoice
from edgeflow.data.score import labels_in_unit
from edgeflow.data.sources import load, task_of
from edgeflow.data.task import Task
from edgeflow.errors import DataError
from tests.data.files import image_files, write

X = np.random.default_rng(0).normal(size=(90, 5))
Y = 20.0 + 7.5 * X[:, 0] - X[:, 1]


def source(tmp_path: Path, **arrays: Any) -> str:
    np.savez(tmp_path / "d.npz", **arrays)
    return str(tmp_path / "d.npz")


def read(tmp_path: Path, task: TaskChoice = TaskChoice.AUTO, **arrays: Any) -> Dataset:
    return load(DataOptions(source=source(tmp_path, **arrays), task=task))


def in_unit(dataset: Dataset, part: str) -> np.ndarray:
    labels = labels_in_unit(dataset, getattr(dataset, part))
    assert labels is not None
    return labels


def test_fractions_in_y_mean_regression(tmp_path: Path) -> None:
    dataset = read(tmp_path, x=X, y=Y)
    assert (dataset.task, dataset.outputs, dataset.classes) == (Task.REGRESSION, 1, ())
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [58, 14, 18]
    assert task_of(DataOptions(source=str(tmp_path / "d.npz"))) is Task.REGRESSION


def test_targets_have_mean_0_and_deviation_1_on_training_and_come_back_in_their_unit(
    tmp_path: Path,
) -> None:
    dataset = read(tmp_path, x=X, y=Y)
    assert dataset.train.quantities.mean() == pytest.approx(0.0, abs=1e-6)
    assert dataset.train.quantities.std() == pytest.approx(1.0, abs=1e-6)
    values = {float(x[0, 0, 0]): y for x, y in zip(X[:, None, None].astype("f"), Y, strict=True)}
    for part in ("train", "validation", "test"):
        wanted = [values[float(x[0, 0, 0])] for x in getattr(dataset, part).x]
        np.testing.assert_allclose(in_unit(dataset, part)[:, 0], wanted, rtol=1e-5)


def test_the_validation_and_test_parts_do_not_move_the_affine(tmp_path: Path) -> None:
    parts = {"x_train": X[:60], "y_train": Y[:60], "x_test": X[60:], "y_test": Y[60:]}
    dataset = read(tmp_path, **parts)
    moved = read(tmp_path, **{**parts, "y_test": 1000.0 * Y[60:]})
    assert moved.target == dataset.target
    np.testing.assert_allclose(in_unit(moved, "test")[:, 0], 1000.0 * Y[60:], rtol=1e-5)
    assert moved.content_hash != dataset.content_hash


def test_several_columns_are_several_outputs_each_with_its_own_affine(tmp_path: Path) -> None:
    y = np.stack([Y, 1e6 * X[:, 2], 1e-6 * X[:, 3]], axis=1)
    dataset = read(tmp_path, x=X, y=y)
    assert dataset.outputs == 3
    np.testing.assert_allclose(dataset.train.quantities.std(axis=0), 1.0, atol=1e-5)
    assert dataset.target is not None
    assert dataset.target.scale[1] == pytest.approx(1e12 * dataset.target.scale[2], rel=0.5)


def test_whole_numbers_are_quantities_where_the_task_says_so(tmp_path: Path) -> None:
    y = np.arange(90) * 3
    dataset = read(tmp_path, TaskChoice.REGRESSION, x=X, y=y)
    every = np.concatenate([in_unit(dataset, part) for part in ("train", "validation", "test")])
    np.testing.assert_allclose(np.sort(every[:, 0]), y, atol=1e-4)
    assert read(tmp_path, x=X, y=np.arange(90) % 3).task is Task.CLASSIFICATION


def test_whole_floats_are_refused_until_the_task_is_named(tmp_path: Path) -> None:
    y = (np.arange(90) % 3).astype(np.float32)
    with pytest.raises(DataError, match="whole numbers only") as caught:
        read(tmp_path, x=X, y=y)
    assert 'task = "regression"' in caught.value.hint
    with pytest.raises(DataError, match="whole numbers only"):
        task_of(DataOptions(source=str(tmp_path / "d.npz")))
    assert read(tmp_path, TaskChoice.CLASSIFICATION, x=X, y=y).classes == ("0", "1", "2")
    assert read(tmp_path, TaskChoice.REGRESSION, x=X, y=y).outputs == 1


@pytest.mark.parametrize("y", [np.arange(90) * 7, np.arange(90) // 2 * 2])
def test_whole_quantities_taken_for_classes_are_told_apart(tmp_path: Path, y: np.ndarray) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, x=X, y=y)
    assert 'task = "regression"' in caught.value.hint


def test_identical_samples_stay_in_one_part(tmp_path: Path) -> None:
    dataset = read(tmp_path, x=np.repeat(X[:30], 3, axis=0), y=Y)
    held = [{x.tobytes() for x in getattr(dataset, p).x} for p in ("train", "validation", "test")]
    assert not held[0] & (held[1] | held[2])
    assert not held[1] & held[2]


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": X, "y": np.where(np.arange(90) == 7, np.nan, Y)}, "NaN or infinity"),
        ({"x": X, "y": np.where(np.arange(90) == 7, np.inf, Y)}, "NaN or infinity"),
        ({"x": X, "y": np.full(90, 0.1)}, "column 0 of y is 0.1 in every"),
        ({"x": X, "y": np.stack([Y, np.full(90, -2.5)], 1)}, r"column 1 of y is -2\.5"),
        ({"x": X[:80], "y": Y}, "80 samples and labels of shape"),
        ({"x": X, "y": Y.reshape(90, 1, 1)}, r"y has shape \(90, 1, 1\)"),
        ({"x": np.repeat(X[:2], 45, axis=0), "y": Y}, "fewer than 3 different"),
        ({"x_test": X, "y_test": Y}, "no training array"),
        (
            {"x_train": X, "y_train": Y, "x_test": X + 1.0, "y_test": np.stack([Y, Y], 1)},
            "differ in the number of target values",
        ),
    ],
)
def test_bad_targets_are_named(tmp_path: Path, arrays: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        read(tmp_path, **arrays)
    assert caught.value.hint


def test_text_is_no_quantity(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="type <U1") as caught:
        read(tmp_path, TaskChoice.REGRESSION, x=X, y=np.array(["a", "b", "c"] * 30))
    assert "must hold numbers" in caught.value.hint


def test_class_folders_hold_no_quantities(tmp_path: Path) -> None:
    write(tmp_path, image_files(60))
    with pytest.raises(DataError, match="regression needs quantities"):
        load(DataOptions(source=str(tmp_path), task=TaskChoice.REGRESSION))
    with pytest.raises(DataError, match="digits holds classes"):
        load(DataOptions(task=TaskChoice.REGRESSION))


def test_a_normal_class_and_another_task_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="contradict"):
        DataOptions(task=TaskChoice.REGRESSION, normal_class=("0",))
