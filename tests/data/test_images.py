from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeflow.data.options import Color, DataOptions
from edgeflow.data.preprocessing import Fit
from edgeflow.data.sources import load
from edgeflow.errors import DataError
from tests.data.files import image_bytes, image_files, write


def two_classes(odd: bytes, name: str = "odd.png") -> dict[str, bytes]:
    """Real digits in two classes, and one more file that a test is about."""
    files = {n: c for n, c in image_files(60).items() if n[0] in "01"}
    return {**files, f"0/{name}": odd}


def sample(tmp_path: Path, odd: bytes, color: Color = Color.AUTO, name: str = "odd.png") -> object:
    """The pixels that `odd` became, found by its place in the name order of its class."""
    write(tmp_path, two_classes(odd, name))
    dataset = load(DataOptions(source=str(tmp_path), image_size=(8, 8), color=color))
    everything = np.concatenate([s.x for s in (dataset.train, dataset.validation, dataset.test)])
    return everything


def holds(everything: object, pixels: np.ndarray) -> bool:
    return any((x == pixels).all() for x in everything)  # type: ignore[attr-defined]


def test_folder_and_zip_give_the_same_data(tmp_path: Path) -> None:
    files = image_files(80)
    folder = load(DataOptions(source=str(write(tmp_path / "d", files))))
    with zipfile.ZipFile(tmp_path / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"wrapper/{name}", content)
    zipped = load(DataOptions(source=str(tmp_path / "d.zip")))
    assert zipped.content_hash == folder.content_hash
    assert folder.classes == tuple("0123456789")
    assert folder.input_shape_hwc == (8, 8, 1)
    assert (folder.name, zipped.name) == ("d", "d.zip")


def test_pixels_and_labels_survive(tmp_path: Path) -> None:
    files = image_files(60)
    dataset = load(DataOptions(source=str(write(tmp_path, files))))
    by_pixels = {
        np.asarray(Image.open(io.BytesIO(c))).tobytes(): name[0] for name, c in files.items()
    }
    for split in (dataset.train, dataset.validation, dataset.test):
        for x, y in zip(split.x, split.y, strict=True):
            assert by_pixels[x.tobytes()] == dataset.classes[y]


def test_given_parts_are_kept(tmp_path: Path) -> None:
    files = list(image_files(120).items())
    laid_out = {f"train/{n}": c for n, c in files[:90]} | {f"test/{n}": c for n, c in files[90:]}
    dataset = load(DataOptions(source=str(write(tmp_path, laid_out))))
    assert len(dataset.test) == 30
    assert len(dataset.train) + len(dataset.validation) == 90


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path: Path) -> None:
    wide = (np.arange(64, dtype=np.uint16) * 1040).reshape(8, 8)
    everything = sample(tmp_path, image_bytes(wide))
    assert holds(everything, np.rint(wide / 257.0).astype(np.uint8)[..., np.newaxis])


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[:4, :, 3] = 255
    everything = sample(tmp_path, image_bytes(pixels))
    wanted = np.zeros((8, 8, 3), dtype=np.uint8)
    wanted[4:] = 255
    assert holds(everything, wanted)


def test_palette_image_gives_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    everything = sample(tmp_path, buffer.getvalue())
    assert holds(everything, np.broadcast_to(np.array([10, 200, 30], np.uint8), (8, 8, 3)))


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:, :4] = 255  # left half white; orientation 6 turns it to the top
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=100, exif=exif)
    everything = sample(tmp_path, buffer.getvalue(), name="odd.jpg")
    wanted = np.zeros((8, 8, 1), dtype=int)
    wanted[:4] = 255
    assert any(np.abs(x.astype(int) - wanted).max() <= 8 for x in everything)  # type: ignore[attr-defined]


def test_gray_and_colour_mix_becomes_rgb_or_gray(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255
    assert sample(tmp_path, image_bytes(red)).shape[3] == 3  # type: ignore[attr-defined]
    gray = sample(tmp_path, image_bytes(red), Color.GRAY)
    assert gray.shape[3] == 1  # type: ignore[attr-defined]
    assert holds(gray, np.full((8, 8, 1), 76, dtype=np.uint8))


def test_crop_keeps_the_aspect_ratio_and_stretch_does_not(tmp_path: Path) -> None:
    pixels = np.zeros((8, 24), dtype=np.uint8)
    pixels[:, 8:16] = 200
    write(tmp_path, two_classes(image_bytes(pixels)))
    for fit, middle_only in ((Fit.CROP, True), (Fit.STRETCH, False)):
        dataset = load(DataOptions(source=str(tmp_path), image_size=(8, 8), fit=fit))
        everything = np.concatenate(
            [s.x for s in (dataset.train, dataset.validation, dataset.test)]
        )
        assert holds(everything, np.full((8, 8, 1), 200, dtype=np.uint8)) is middle_only


def test_different_sizes_without_image_size_are_refused(tmp_path: Path) -> None:
    write(tmp_path, two_classes(image_bytes(np.zeros((9, 8), dtype=np.uint8))))
    with pytest.raises(DataError, match="9x8 pixels") as caught:
        load(DataOptions(source=str(tmp_path)))
    assert "image_size" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an image",
        image_bytes(np.arange(64, dtype=np.uint8).reshape(8, 8))[:50],
        image_bytes(np.zeros((64, 64), dtype=np.uint8), "JPEG")[:300],
        image_bytes(np.zeros((8, 8), dtype=np.uint8), "GIF"),
    ],
    ids=["empty", "text", "truncated-png", "truncated-jpeg", "gif-named-png"],
)
def test_damaged_image_is_named(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, two_classes(content, "broken.png"))
    with pytest.raises(DataError, match=r"0/broken\.png") as caught:
        load(DataOptions(source=str(tmp_path), image_size=(8, 8)))
    assert "object at 0x" not in caught.value.message


def test_image_that_claims_a_huge_size_is_refused_before_decoding(tmp_path: Path) -> None:
    for side in (9_000, 12_000, 60_000):  # below, at and beyond Pillow's own warning and error
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        chunk = struct.pack(">I", 13) + b"IHDR" + header
        chunk += struct.pack(">I", zlib.crc32(b"IHDR" + header))
        bomb = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4
        write(tmp_path, two_classes(bomb, "bomb.png"))
        with pytest.raises(DataError, match=r"bomb\.png"):
            load(DataOptions(source=str(tmp_path), image_size=(8, 8)))


def test_total_of_pixels_is_capped(tmp_path: Path) -> None:
    write(tmp_path, image_files(60))
    with pytest.raises(DataError, match="more than 1000 bytes of pixels"):
        load(DataOptions(source=str(tmp_path), max_decoded_bytes=1000))


def test_empty_class_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path, image_files(60))
    (tmp_path / "ten").mkdir()
    with pytest.raises(DataError, match="ten: class folder without"):
        load(DataOptions(source=str(tmp_path)))


def test_one_class_is_refused(tmp_path: Path) -> None:
    files = {n: c for n, c in image_files(60).items() if n[0] == "3"}
    with pytest.raises(DataError, match=r"only one class \(3\)"):
        load(DataOptions(source=str(write(tmp_path, files))))


def test_class_that_only_the_test_part_has_is_named(tmp_path: Path) -> None:
    files = {f"train/{n}": c for n, c in image_files(60).items() if n[0] in "01"}
    files["test/cat/a.png"] = image_bytes(np.full((8, 8), 7, dtype=np.uint8))
    with pytest.raises(DataError, match="no training sample of class 'cat'"):
        load(DataOptions(source=str(write(tmp_path, files))))


def test_image_outside_class_folders_is_named(tmp_path: Path) -> None:
    files = image_files(60) | {"loose.png": image_bytes(np.zeros((8, 8), dtype=np.uint8))}
    with pytest.raises(DataError, match=r"loose\.png: outside any class folder"):
        load(DataOptions(source=str(write(tmp_path, files))))


def test_image_type_that_is_not_read_is_named_not_skipped(tmp_path: Path) -> None:
    files = image_files(60) | {"0/scan.tiff": b"II*\0"}
    with pytest.raises(DataError, match=r"scan\.tiff: this file type is not read"):
        load(DataOptions(source=str(write(tmp_path, files))))


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    files = image_files(60)
    plain = load(DataOptions(source=str(write(tmp_path / "d", files))))
    write(tmp_path / "d", {"0/.hidden.png": b"x", ".git/a.png": b"x", "__MACOSX/0/a.png": b"x"})
    assert load(DataOptions(source=str(tmp_path / "d"))).content_hash == plain.content_hash


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe_does_not_hang(tmp_path: Path) -> None:
    write(tmp_path, image_files(60))
    os.mkfifo(tmp_path / "0" / "pipe.png")
    with pytest.raises(DataError, match="not a regular file"):
        load(DataOptions(source=str(tmp_path)))


def test_link_back_into_the_folder_does_not_loop(tmp_path: Path) -> None:
    write(tmp_path / "d", image_files(60))
    plain = load(DataOptions(source=str(tmp_path / "d")))
    (tmp_path / "d" / "0" / "loop").symlink_to(tmp_path / "d", target_is_directory=True)
    assert load(DataOptions(source=str(tmp_path / "d"))).content_hash == plain.content_hash
