from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgeflow.data.dataset import prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.preprocessing import ImageFrontEnd, RawFeatures
from edgeflow.data.sources import load, task_of
from edgeflow.data.task import Task
from edgeflow.errors import DataError
from tests.data.files import digit_images

IMAGES, LABELS = digit_images(80)


def read(tmp_path: Path, **arrays: object):  # type: ignore[no-untyped-def]
    path = tmp_path / "d.npz"
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return load(DataOptions(source=str(path)))


@pytest.mark.parametrize(
    "keys", [("x", "y"), ("images", "labels"), ("train_images", "train_labels")]
)
def test_usual_keys_are_found(tmp_path: Path, keys: tuple[str, str]) -> None:
    dataset = read(tmp_path, **{keys[0]: IMAGES, keys[1]: LABELS})
    assert dataset.input_shape_hwc == (8, 8, 1)
    assert isinstance(dataset.preprocessing.front_end, ImageFrontEnd)


def test_all_three_given_parts_are_kept(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        x_train=IMAGES[:50],
        y_train=LABELS[:50, np.newaxis],
        x_val=IMAGES[50:60],
        y_val=LABELS[50:60],
        x_test=IMAGES[60:],
        y_test=LABELS[60:],
    )
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [50, 10, 20]
    np.testing.assert_array_equal(dataset.train.x[..., 0], IMAGES[:50])
    np.testing.assert_array_equal(dataset.test.y, LABELS[60:])


def test_feature_rows_are_standardised_by_column(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal([0.0, 100.0, -5.0], [1.0, 10.0, 0.1], size=(200, 3))
    dataset = read(tmp_path, x=x, y=np.arange(200) % 2)
    assert dataset.input_shape_hwc == (1, 1, 3)
    assert isinstance(dataset.preprocessing.front_end, RawFeatures)
    prepared = prepare(dataset.preprocessing, dataset.train.x)
    np.testing.assert_allclose(prepared.mean(axis=(0, 1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(prepared.std(axis=(0, 1, 2)), 1.0, atol=1e-4)


def test_class_names_come_from_strings_or_the_classes_key(tmp_path: Path) -> None:
    names = np.array(["cat", "dog"])[LABELS % 2]
    assert read(tmp_path, x=IMAGES, y=names).classes == ("cat", "dog")
    classes = np.array(["even", "odd"])
    assert read(tmp_path, x=IMAGES, y=LABELS % 2, classes=classes).classes == ("even", "odd")


@pytest.mark.parametrize("key", ["x", "x_test", "images"])
def test_one_x_alone_is_data_without_labels_and_all_of_it_is_test(tmp_path: Path, key: str) -> None:
    dataset = read(tmp_path, **{key: IMAGES})
    np.testing.assert_array_equal(dataset.test.x[..., 0], IMAGES)
    assert dataset.test.y is None
    assert (len(dataset.train), len(dataset.validation), dataset.classes) == (0, 0, ())
    assert dataset.input_shape_hwc == (8, 8, 1)
    assert task_of(DataOptions(source=str(tmp_path / "d.npz"))) is None
    with pytest.raises(DataError, match="no labels"):
        _ = dataset.test.labels


def test_samples_without_labels_are_checked_and_hashed_as_others_are(tmp_path: Path) -> None:
    assert read(tmp_path, x=IMAGES).content_hash != read(tmp_path, x=IMAGES[1:]).content_hash
    with pytest.raises(DataError, match="NaN or infinity"):
        read(tmp_path, x=np.where(IMAGES > 100, np.nan, 1.0))
    with pytest.raises(DataError, match="samples have shape"):
        read(tmp_path, x=IMAGES[:0].astype(np.float32))


def test_built_in_data_and_data_with_y_is_labelled(tmp_path: Path) -> None:
    read(tmp_path, x=IMAGES, y=LABELS)
    assert task_of(DataOptions(source=str(tmp_path / "d.npz"))) is Task.CLASSIFICATION
    assert task_of(DataOptions()) is Task.CLASSIFICATION


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": IMAGES, "x_test": IMAGES}, "no y of test array"),
        ({"y": LABELS}, "no x of train array"),
        ({"inputs": IMAGES, "y": LABELS}, r"no x of train array \(keys: inputs, y\)"),
        ({"x_test": IMAGES, "y_test": LABELS}, "no training array"),
        ({"x": IMAGES[:70], "y": LABELS}, "70 samples and labels of shape"),
        ({"x": IMAGES, "y": LABELS - 1}, "label -1 at index"),
        ({"x": IMAGES, "y": LABELS.astype(np.float64)}, "type float64"),
        ({"x": IMAGES, "y": np.eye(10, dtype=int)[LABELS]}, r"y has shape \(80, 10\)"),
        ({"x": IMAGES, "y": LABELS * 10**15}, "larger than the number of samples"),
        ({"x": IMAGES, "y": LABELS.astype(np.uint64) + 2**63}, "larger than the number"),
        ({"x": IMAGES, "y": LABELS * 2}, "no training sample of class '1'"),
        ({"x": IMAGES, "y": LABELS * 0}, "only one class"),
        ({"x": IMAGES, "y": LABELS % 3, "classes": np.array(["a", "b"])}, "label 2 at index"),
        ({"x": IMAGES.astype(complex), "y": LABELS}, "type complex"),
        ({"x": IMAGES[0, 0], "y": LABELS[:8]}, "numeric|shape"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "y has shape"),
        ({"x": np.zeros((80, 3, 32, 32), np.uint8), "y": LABELS}, "looks like"),
        ({"x": np.where(IMAGES > 100, np.nan, 1.0), "y": LABELS}, "NaN or infinity"),
        ({"x": IMAGES * 1e300, "y": LABELS}, "NaN or infinity"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :4], "y_test": LABELS},
            "differ in sample shape",
        ),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, arrays: dict[str, object], match: str) -> None:
    with pytest.raises(DataError, match=match):
        read(tmp_path, **arrays)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    x = np.empty(3, dtype=object)
    x[:] = [Trap(), Trap(), Trap()]
    np.savez(tmp_path / "d.npz", allow_pickle=True, x=x, y=LABELS[:3])
    with pytest.raises(DataError, match="Python objects"):
        load(DataOptions(source=str(tmp_path / "d.npz")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "shape", ["(10**12, 8, 8)", "(1099511627776, 8, 8)", "(-80, 8, 8)", "(2,)"]
)
def test_header_that_does_not_match_the_data_is_refused(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (118 - len(header) - 1) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + IMAGES.tobytes()
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", member)
        archive.writestr("y.npy", labels.getvalue())
    with pytest.raises(DataError, match=r"needs|damaged array header"):
        load(DataOptions(source=str(tmp_path / "d.npz")))


def test_image_options_do_not_apply_to_features(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=IMAGES.astype(np.float32), y=LABELS)
    with pytest.raises(DataError, match="image_size and color are for 8-bit images"):
        load(DataOptions(source=str(tmp_path / "d.npz"), image_size=(4, 4)))


def test_altered_files_never_crash_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=IMAGES[:40], y=LABELS[:40])
    original = path.read_bytes()
    generator = random.Random(0)
    outcomes = set()
    for _ in range(400):
        data = bytearray(original)
        for _ in range(generator.choice((1, 3, 20))):
            data[generator.randrange(len(data))] = generator.randrange(256)
        path.write_bytes(data)
        try:
            load(DataOptions(source=str(path)))
            outcomes.add("read")
        except DataError:
            outcomes.add("refused")
    assert "refused" in outcomes
