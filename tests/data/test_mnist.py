from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import DataError
from tests.data.files import digit_images, write

IMAGES, LABELS = digit_images(120)


def images(start: int, stop: int) -> bytes:
    return struct.pack(">4B3I", 0, 0, 8, 3, stop - start, 8, 8) + IMAGES[start:stop].tobytes()


def labels(start: int, stop: int) -> bytes:
    return struct.pack(">4BI", 0, 0, 8, 1, stop - start) + LABELS[start:stop].astype("u1").tobytes()


FILES = {
    "train-images-idx3-ubyte": images(0, 90),
    "train-labels-idx1-ubyte": labels(0, 90),
    "t10k-images-idx3-ubyte": images(90, 120),
    "t10k-labels-idx1-ubyte": labels(90, 120),
}


def test_pairs_become_parts(tmp_path: Path) -> None:
    dataset = load(DataOptions(source=str(write(tmp_path, FILES))))
    np.testing.assert_array_equal(dataset.test.x[..., 0], IMAGES[90:])
    np.testing.assert_array_equal(dataset.test.y, LABELS[90:])
    assert len(dataset.train) + len(dataset.validation) == 90
    assert dataset.classes == tuple("0123456789")


def test_gzipped_files_give_the_same_data(tmp_path: Path) -> None:
    plain = load(DataOptions(source=str(write(tmp_path / "plain", FILES))))
    packed = {f"{name}.gz": gzip.compress(content) for name, content in FILES.items()}
    both = load(DataOptions(source=str(write(tmp_path / "gz", packed))))
    assert both.content_hash == plain.content_hash
    write(tmp_path / "gz", FILES)
    assert load(DataOptions(source=str(tmp_path / "gz"))).content_hash == plain.content_hash


def test_dotted_and_prefixed_names_are_found(tmp_path: Path) -> None:
    files = {f"emnist-digits-{n.replace('-idx', '.idx')}": c for n, c in FILES.items()}
    assert len(load(DataOptions(source=str(write(tmp_path, files)))).test) == 30


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"train-images-idx3-ubyte": images(0, 90)[:-1]}, "needs 5760 bytes, 5759 are there"),
        ({"train-images-idx3-ubyte": b"\0\0\x0d\x03" + images(0, 90)[4:]}, "starts with 00000d03"),
        ({"train-images-idx3-ubyte": b"\0\0\x08"}, "starts with 000008"),
        (
            {"train-images-idx3-ubyte": struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3)},
            "0 are there",
        ),
        ({"train-labels-idx1-ubyte": labels(0, 89)}, "90 images in .* 89 labels"),
        ({"train-labels-idx1-ubyte": gzip.compress(labels(0, 90))[:-9]}, "truncated|damaged"),
        ({"train-labels-idx1-ubyte": b"\x1f\x8b" + bytes(50)}, "damaged gzip"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, change: dict[str, bytes], match: str) -> None:
    with pytest.raises(DataError, match=match):
        load(DataOptions(source=str(write(tmp_path, FILES | change))))


def test_missing_half_of_a_pair_is_refused(tmp_path: Path) -> None:
    files = {name: content for name, content in FILES.items() if name != "t10k-labels-idx1-ubyte"}
    with pytest.raises(DataError, match="test images or labels are missing"):
        load(DataOptions(source=str(write(tmp_path, files))))


def test_gzip_bomb_is_refused(tmp_path: Path) -> None:
    files = FILES | {"train-images-idx3-ubyte": gzip.compress(bytes(3_000_000))}
    with pytest.raises(DataError, match="decompresses to more than the limit"):
        load(DataOptions(source=str(write(tmp_path, files)), max_decoded_bytes=1_000_000))
