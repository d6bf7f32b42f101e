"""CIFAR-10's binary layout, filled with real digits enlarged to 32x32."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from edgeflow.data.options import Color, DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import DataError
from tests.data.files import digit_images, write
from tests.shared_data import shared_file

IMAGES, LABELS = digit_images(120, size=32)
RGB = np.stack([IMAGES, 255 - IMAGES, IMAGES // 2], axis=-1)


def records(start: int, stop: int) -> bytes:
    planes = RGB[start:stop].transpose(0, 3, 1, 2).reshape(stop - start, -1)
    labels = LABELS[start:stop].astype(np.uint8)[:, np.newaxis]
    return np.concatenate([labels, planes], axis=1).tobytes()


FILES = {
    "data_batch_1.bin": records(0, 50),
    "data_batch_2.bin": records(50, 90),
    "test_batch.bin": records(90, 120),
    "readme.html": b"<html>",
}


def test_planes_become_pixels_and_the_test_batch_is_the_test_part(tmp_path: Path) -> None:
    dataset = load(DataOptions(source=str(write(tmp_path, FILES))))
    assert dataset.input_shape_hwc == (32, 32, 3)
    np.testing.assert_array_equal(dataset.test.x, RGB[90:])
    np.testing.assert_array_equal(dataset.test.y, LABELS[90:])
    assert len(dataset.train) + len(dataset.validation) == 90
    assert dataset.classes[3] == "cat"


def test_class_names_come_from_the_meta_file(tmp_path: Path) -> None:
    names = [f"n{i}" for i in range(10)]
    files = FILES | {"batches.meta.txt": "\n".join([*names, "", ""]).encode()}
    assert load(DataOptions(source=str(write(tmp_path, files)))).classes == tuple(names)


def test_tar_gz_as_published_gives_the_same_data(tmp_path: Path) -> None:
    folder = load(DataOptions(source=str(write(tmp_path / "cifar-10-batches-bin", FILES))))
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    packed = load(DataOptions(source=str(tmp_path / "c.tar.gz")))
    assert packed.content_hash == folder.content_hash
    assert load(DataOptions(source=str(tmp_path / "cifar-10-batches-bin" / ".."))).classes


def test_size_and_color_apply(tmp_path: Path) -> None:
    source = str(write(tmp_path, FILES))
    dataset = load(DataOptions(source=source, image_size=(16, 16), color=Color.GRAY))
    assert dataset.input_shape_hwc == (16, 16, 1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"data_batch_2.bin": FILES["data_batch_2.bin"][:-1]}, "not whole records of 3073"),
        ({"data_batch_2.bin": b""}, "not whole records of 3073"),
        ({"test_batch.bin": b"\x0a" + FILES["test_batch.bin"][1:]}, "test label 10 at index 0"),
        ({"batches.meta.txt": b"a\nb\n"}, "2 class names instead of 10"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, change: dict[str, bytes], match: str) -> None:
    with pytest.raises(DataError, match=match):
        load(DataOptions(source=str(write(tmp_path, FILES | change))))


def test_test_batch_alone_is_refused(tmp_path: Path) -> None:
    files = {"test_batch.bin": FILES["test_batch.bin"]}
    with pytest.raises(DataError, match="without data_batch_1"):
        load(DataOptions(source=str(write(tmp_path, files))))


def test_pickled_version_is_refused_with_a_way_out(tmp_path: Path) -> None:
    files = {"data_batch_1": pickle.dumps({b"data": 1}), "batches.meta": b""}
    with pytest.raises(DataError, match="pickled") as caught:
        load(DataOptions(source=str(write(tmp_path, files))))
    assert "binary version" in caught.value.hint


def test_real_cifar10_is_read_whole() -> None:
    folder = shared_file("data_batch_1.bin").parent
    dataset = load(DataOptions(source=str(folder)))
    total = sum(f.stat().st_size // 3073 for f in folder.glob("*_batch*.bin"))
    parts = (dataset.train, dataset.validation, dataset.test)
    assert sum(len(s) for s in parts) + dataset.duplicates_dropped == total
    assert dataset.input_shape_hwc == (32, 32, 3)
    assert set(dataset.test.y) == set(range(10))
