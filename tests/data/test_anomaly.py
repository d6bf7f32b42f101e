"""Anomaly data: what is normal, where the rest goes, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.data.dataset import Dataset
from edgeflow.data.options import DataOptions, TaskChoice
from edgeflow.data.sources import load, task_of
from edgeflow.data.task import Task
from edgeflow.errors import ConfigError, DataError
from tests.data.files import digit_images, image_files, tone_files, write

IMAGES, LABELS = digit_images(200)
MARKS = (np.arange(80) % 4 == 0).astype(np.int64)
GIVEN = {"x_train": IMAGES[:120], "x_test": IMAGES[120:], "y_test": MARKS}


def read(tmp_path: Path, options: dict[str, Any] | None = None, **arrays: Any) -> Dataset:
    np.savez(tmp_path / "d.npz", **arrays)
    return load(DataOptions(source=str(tmp_path / "d.npz"), **(options or {})))


def keys(x: np.ndarray) -> set[bytes]:
    return {sample.tobytes() for sample in x}


def test_training_samples_without_y_beside_a_marked_test_part(tmp_path: Path) -> None:
    dataset = read(tmp_path, **GIVEN)
    assert (dataset.task, dataset.classes) == (Task.ANOMALY, ("normal", "anomalous"))
    assert dataset.outputs == 64
    assert (dataset.train.y, dataset.validation.y) == (None, None)
    assert len(dataset.train) + len(dataset.validation) == 120
    assert len(dataset.validation) == 18
    np.testing.assert_array_equal(dataset.test.labels, MARKS)
    np.testing.assert_array_equal(dataset.test.x[..., 0], IMAGES[120:])
    assert task_of(DataOptions(source=str(tmp_path / "d.npz"))) is Task.ANOMALY


def test_a_validation_part_of_the_source_is_kept(tmp_path: Path) -> None:
    arrays = {**GIVEN, "x_train": IMAGES[:100], "x_validation": IMAGES[100:120]}
    dataset = read(tmp_path, **arrays)
    np.testing.assert_array_equal(dataset.validation.x[..., 0], IMAGES[100:120])


@pytest.mark.parametrize("marks", [MARKS.astype(bool), MARKS.astype(float), MARKS[:, np.newaxis]])
def test_marks_may_be_booleans_floats_or_a_column(tmp_path: Path, marks: np.ndarray) -> None:
    dataset = read(tmp_path, **{**GIVEN, "y_test": marks})
    np.testing.assert_array_equal(dataset.test.labels, MARKS)


def test_samples_of_the_test_part_are_taken_out_of_training(tmp_path: Path) -> None:
    dataset = read(tmp_path, **{**GIVEN, "x_train": IMAGES[:130]})
    assert dataset.duplicates_dropped == 10
    assert not keys(dataset.train.x) & keys(dataset.test.x)


def test_one_class_is_normal_and_all_others_are_anomalies_of_the_test_part() -> None:
    dataset = load(DataOptions(normal_class="3"))
    whole = load(DataOptions())
    threes = {
        x.tobytes()
        for part in (whole.train, whole.validation, whole.test)
        for x in part.x[part.labels == 3]
    }
    assert dataset.task is Task.ANOMALY
    assert keys(dataset.train.x) | keys(dataset.validation.x) <= threes
    normal = dataset.test.x[dataset.test.labels == 0]
    assert keys(normal) <= threes
    assert keys(dataset.test.x[dataset.test.labels == 1]).isdisjoint(threes)
    assert len(dataset.test) == 1797 - len(dataset.train) - len(dataset.validation)
    assert [len(dataset.train), len(dataset.validation), len(normal)] == [119, 27, 37]


def test_several_classes_may_be_normal_and_each_is_in_every_part() -> None:
    several = load(DataOptions(normal_class=("0", "1")))
    zero, one = (load(DataOptions(normal_class=name)) for name in "01")
    # Drawn class by class: as many of each class as if it were alone.
    assert len(several.train) == len(zero.train) + len(one.train)
    assert len(several.validation) == len(zero.validation) + len(one.validation)
    assert several.content_hash not in (zero.content_hash, one.content_hash)


def test_the_parts_of_class_folders_are_kept_and_their_anomalies_go_to_the_test_part(
    tmp_path: Path,
) -> None:
    write(tmp_path, image_files(60, "train/"))
    images, labels = digit_images(100)
    held_out = {
        f"test/{name.split('/')[1]}/{name.split('/')[2]}": content
        for name, content in image_files(100, "test/").items()
        if int(name.split("/")[2][:4]) >= 60
    }
    write(tmp_path, held_out)
    dataset = load(DataOptions(source=str(tmp_path), normal_class="0"))
    zeros = int((labels[60:] == 0).sum())
    assert (dataset.test.labels == 0).sum() == zeros
    assert (dataset.test.labels == 1).sum() == int((labels != 0).sum())
    assert keys(dataset.train.x) | keys(dataset.validation.x) == keys(images[:60][labels[:60] == 0])


def test_one_kind_of_sound_is_normal(tmp_path: Path) -> None:
    write(tmp_path, tone_files(8))
    dataset = load(DataOptions(source=str(tmp_path), normal_class="low"))
    assert (dataset.test.labels == 1).sum() == 8
    assert dataset.outputs == np.prod(dataset.input_shape_hwc)


def test_npz_classes_may_be_normal_too(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"normal_class": "7"}, x=IMAGES, y=LABELS)
    assert (dataset.test.labels == 1).sum() == (LABELS != 7).sum()
    assert task_of(DataOptions(source=str(tmp_path / "d.npz"), normal_class="7")) is Task.ANOMALY


def test_an_anomaly_that_is_also_a_normal_sample_leaves_training(tmp_path: Path) -> None:
    x = np.concatenate([IMAGES[LABELS == 0], IMAGES[LABELS == 0][:4], IMAGES[LABELS == 1]])
    y = np.repeat([0, 1], [(LABELS == 0).sum(), 4 + (LABELS == 1).sum()])
    dataset = read(tmp_path, {"normal_class": "0"}, x=x, y=y)
    assert dataset.duplicates_dropped > 0
    assert not (keys(dataset.train.x) | keys(dataset.validation.x)) & keys(dataset.test.x)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({**GIVEN, "y_test": MARKS * 0}, "no anomalous sample"),
        ({**GIVEN, "y_test": MARKS * 0 + 1}, "no normal sample"),
        ({**GIVEN, "y_test": MARKS * 3}, "y of test sample 0 is 3"),
        ({**GIVEN, "y_test": MARKS - 0.5}, "test y has shape"),
        ({**GIVEN, "y_test": MARKS[:50]}, "80 samples and labels of shape"),
        ({**GIVEN, "y_test": np.where(MARKS > 0, np.nan, 0.0)}, "test y has shape"),
        ({**GIVEN, "x_train": IMAGES[120:150]}, "every sample of the train part"),
    ],
)
def test_bad_marks_are_named(tmp_path: Path, arrays: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        read(tmp_path, **arrays)
    assert caught.value.hint


def test_an_unknown_normal_class_gives_the_closest_name(tmp_path: Path) -> None:
    names = np.array(["hum", "rattle"])[LABELS % 2]
    with pytest.raises(ConfigError, match="no class 'humm'") as caught:
        read(tmp_path, {"normal_class": "humm"}, x=IMAGES, y=names)
    assert "did you mean 'hum'?" in caught.value.hint


def test_the_normal_class_must_be_named_where_there_are_classes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of them is named as normal") as caught:
        load(DataOptions(task=TaskChoice.ANOMALY))
    assert "0, 1, 2" in caught.value.hint
    with pytest.raises(DataError, match="normal_class is for data with classes"):
        read(tmp_path, {"normal_class": "0"}, **GIVEN)


def test_the_normal_class_must_have_training_samples(tmp_path: Path) -> None:
    arrays = {"x_train": IMAGES[:100], "y_train": np.minimum(LABELS[:100], 5)}
    arrays |= {"x_test": IMAGES[100:], "y_test": LABELS[100:]}
    with pytest.raises(DataError, match="no training sample of the normal class '9'"):
        read(tmp_path, {"normal_class": "9"}, **arrays)


def test_all_classes_normal_leaves_no_anomaly() -> None:
    with pytest.raises(DataError, match="no anomalous sample"):
        load(DataOptions(normal_class=tuple("0123456789")))


def test_training_samples_without_y_are_no_classification(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no y of train"):
        read(tmp_path, {"task": TaskChoice.CLASSIFICATION}, **GIVEN)
