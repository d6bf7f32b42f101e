from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.data.dataset import Dataset, prepare
from edgeflow.data.options import Color, DataOptions, Format, Scaling
from edgeflow.data.preprocessing import ImageFrontEnd
from edgeflow.data.sources import load
from edgeflow.data.split import sample_keys
from edgeflow.errors import ConfigError, DataError, UnknownNameError
from tests.data.files import digit_images, image_files, write


def parts(dataset: Dataset) -> list[set[bytes]]:
    return [set(sample_keys(s.x)) for s in (dataset.train, dataset.validation, dataset.test)]


def test_digits_are_whole_split_and_scaled() -> None:
    dataset = load(DataOptions())
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [1169, 269, 359]
    assert dataset.input_shape_hwc == (8, 8, 1)
    assert dataset.classes == tuple("0123456789")
    train, validation, test = parts(dataset)
    assert not train & validation
    assert not train & test
    assert not validation & test
    prepared = prepare(dataset.preprocessing, dataset.train.x)
    assert (prepared.min(), prepared.max()) == (0.0, 1.0)


def test_content_hash_is_stable_and_follows_content() -> None:
    one, again = load(DataOptions()), load(DataOptions())
    assert one.content_hash == again.content_hash
    assert load(DataOptions(seed=1)).content_hash != one.content_hash
    assert load(DataOptions(scaling=Scaling.STANDARD)).content_hash != one.content_hash


def test_scaling_constants_come_from_training_samples_only(tmp_path: Path) -> None:
    images, labels = digit_images(60)
    path = tmp_path / "d.npz"
    bright = np.full((4, 8, 8), 255, dtype=np.uint8)
    bright[np.arange(4), 0, np.arange(4)] = 0
    np.savez(path, x_train=images, y_train=labels, x_test=bright, y_test=labels[:4])
    dataset = load(DataOptions(source=str(path)))
    largest = int(dataset.train.x.max())
    assert dataset.preprocessing.affine.scale == (float(np.float32(1 / largest)),)
    assert largest < 255


def test_image_size_and_color_shape_built_in_images() -> None:
    dataset = load(DataOptions(image_size=(12, 10), color=Color.RGB))
    assert dataset.input_shape_hwc == (12, 10, 3)
    front_end = dataset.preprocessing.front_end
    assert isinstance(front_end, ImageFrontEnd)
    assert (front_end.height, front_end.width, front_end.channels) == (12, 10, 3)


def test_samples_of_the_test_part_are_dropped_from_training(tmp_path: Path) -> None:
    images, labels = digit_images(80)
    path = tmp_path / "d.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:7], y_test=labels[:7])
    dataset = load(DataOptions(source=str(path)))
    assert len(dataset.test) == 7
    assert dataset.duplicates_dropped == 7
    train, validation, test = parts(dataset)
    assert not (train | validation) & test


def test_misspelt_built_in_name_is_suggested() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load(DataOptions(source="digitz"))
    assert "'digits'" in caught.value.hint


def test_missing_path_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        load(DataOptions(source=str(tmp_path / "absent")))


def test_built_in_source_takes_no_format() -> None:
    with pytest.raises(ConfigError, match="takes no format"):
        load(DataOptions(format=Format.NPZ))


@pytest.mark.parametrize("files", [{}, {"a/readme.txt": b"x"}, {"a/b.mp3": b"x"}])
def test_folder_without_data_names_the_formats(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(DataError, match="no data format recognised") as caught:
        load(DataOptions(source=str(write(tmp_path, files))))
    assert "MNIST" in caught.value.hint


def test_folder_around_one_archive_points_at_it(tmp_path: Path) -> None:
    write(tmp_path, {"cifar-10-binary.tar.gz": b"x"})
    with pytest.raises(DataError, match="but the archive") as caught:
        load(DataOptions(source=str(tmp_path)))
    assert "cifar-10-binary.tar.gz" in caught.value.hint


def test_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("1,2,3")
    with pytest.raises(DataError, match="neither a folder"):
        load(DataOptions(source=str(path)))


def test_two_formats_in_one_folder_need_a_choice(tmp_path: Path) -> None:
    files = {**image_files(60), "0/a.wav": b"RIFF"}
    with pytest.raises(DataError, match="could be image-folders or wav-folders"):
        load(DataOptions(source=str(write(tmp_path, files))))
    assert load(DataOptions(source=str(tmp_path), format=Format.IMAGE_FOLDERS)).classes


@pytest.mark.parametrize(
    "options",
    [
        {"test_fraction": 0.6, "validation_fraction": 0.5},
        {"image_size": (0, 8)},
        {"image_size": (8, 4000)},
        {"fit": "none", "image_size": (8, 8)},
        {"unknown": 1},
        {"value_range": (1.0, 1.0)},
        {"scaling": "standard", "value_range": (0.0, 1.0)},
    ],
)
def test_contradicting_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataOptions.model_validate(options)


def test_range_scaling_of_float_data_is_refused(tmp_path: Path) -> None:
    images, labels = digit_images(60)
    path = tmp_path / "d.npz"
    np.savez(path, x=images.astype(np.float32), y=labels)
    with pytest.raises(DataError, match="8-bit"):
        load(DataOptions(source=str(path), scaling=Scaling.RANGE))


def test_scaling_none_and_a_value_range_keep_float_data_as_it_is(tmp_path: Path) -> None:
    images, labels = digit_images(60)
    path = tmp_path / "d.npz"
    np.savez(path, x=images.astype(np.float32), y=labels)
    for options in ({"scaling": "none"}, {"value_range": (-1.0, 1.0)}):
        affine = load(DataOptions(source=str(path), **options)).preprocessing.affine
        assert (affine.scale, affine.offset) == ((1.0,), (0.0,))


def test_value_range_is_where_8_bit_data_lies_after_scaling() -> None:
    preprocessing = load(DataOptions(value_range=(-1.0, 1.0))).preprocessing
    levels = prepare(preprocessing, np.array([0, 8, 16], np.uint8).reshape(3, 1, 1, 1))
    assert levels.reshape(-1).tolist() == [-1.0, 0.0, 1.0]
