"""Hostile and damaged archives: a DataError each, and nothing written anywhere."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest

from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.data.tree import RATIO_FREE_BYTES
from edgeflow.errors import DataError
from tests.data.files import image_files


def snapshot(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*")}


def refused(path: Path, match: str, **options: object) -> DataError:
    """Loading fails with that message, and the folders around the archive stay as they were."""
    root = path.parent.parent
    before = snapshot(root)
    with pytest.raises(DataError, match=match) as caught:
        load(DataOptions.model_validate({"source": str(path), **options}))
    assert snapshot(root) == before
    return caught.value


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a test writes its archive; one folder down, so that ../ would be seen."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in" / "data.zip"


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the duplicate names that a test wants
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "0/../../evil.png",
        "/etc/evil.png",
        "C:/evil.png",
        "0\\..\\..\\evil.png",
        "0/\0evil.png",
    ],
)
def test_member_that_points_outside_is_refused(target: Path, name: str) -> None:
    write_zip(target, image_files(60))
    with zipfile.ZipFile(target, "a") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.orig_filename = name
        archive.writestr(info, b"x")
    refused(target, "points outside|not a plain relative path")


def test_symlink_is_refused(target: Path) -> None:
    write_zip(target, image_files(60))
    with zipfile.ZipFile(target, "a") as archive:
        info = zipfile.ZipInfo("0/link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    refused(target, "link or a device")


def test_zip_bomb_by_ratio_is_refused(target: Path) -> None:
    write_zip(target, {**image_files(60), "0/bomb.png": bytes(RATIO_FREE_BYTES + 1)})
    refused(target, "zip bomb")


def test_total_size_is_capped(target: Path) -> None:
    write_zip(target, image_files(60))
    refused(target, "more than the limit of 500", max_decoded_bytes=500)


def test_overlapping_members_are_refused(target: Path) -> None:
    """One compressed stream named many times in the directory (Fifield 2019)."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("0/a.png", os.urandom(100_000))
        original = archive.infolist()[0]
        for index in range(50):
            info = zipfile.ZipInfo(f"1/{index}.png")
            for field in ("CRC", "compress_size", "file_size", "header_offset"):
                setattr(info, field, getattr(original, field))
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
    refused(target, "overlap")


def test_member_with_a_false_size_is_refused(target: Path) -> None:
    files = image_files(60)
    write_zip(target, files)
    data = bytearray(target.read_bytes())
    entry = data.rindex(b"PK\x01\x02")  # the last entry of the central directory
    (size,) = struct.unpack_from("<I", data, entry + 24)
    struct.pack_into("<I", data, entry + 24, size // 2)
    target.write_bytes(data)
    refused(target, "cannot be read")


def test_encrypted_member_is_refused(target: Path) -> None:
    write_zip(target, image_files(60))
    data = bytearray(target.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 0x1
    target.write_bytes(data)
    refused(target, "encrypted")


def test_archive_inside_an_archive_is_refused(target: Path) -> None:
    write_zip(target, {**image_files(60), "inner.zip": b"PK\x05\x06" + bytes(18)})
    refused(target, "itself an archive")


def test_same_name_twice_is_refused(target: Path) -> None:
    write_zip(target, image_files(60))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(target, "a") as archive:
            archive.writestr(archive.namelist()[0], b"other")
    refused(target, "occurs twice")


def test_compression_other_than_deflate_is_refused(target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_BZIP2) as archive:
        for name, content in image_files(60).items():
            archive.writestr(name, content)
    refused(target, "uses compression 12")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_zip_is_refused(target: Path, kept: float) -> None:
    write_zip(target, image_files(60))
    data = target.read_bytes()
    target.write_bytes(data[: int(len(data) * kept)])
    refused(target, "truncated|damaged")


def test_altered_zips_never_crash_the_reader(target: Path) -> None:
    write_zip(target, image_files(30))
    original = target.read_bytes()
    generator = random.Random(0)
    outcomes = set()
    for _ in range(400):
        data = bytearray(original)
        for _ in range(generator.choice((1, 3, 20))):
            data[generator.randrange(len(data))] = generator.randrange(256)
        target.write_bytes(data)
        try:
            load(DataOptions(source=str(target)))
            outcomes.add("read")
        except DataError:
            outcomes.add("refused")
    assert "refused" in outcomes


def write_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_tar_gz_is_read_like_a_folder(tmp_path: Path) -> None:
    members = [(tarfile.TarInfo(f"./top/{n}"), c) for n, c in image_files(80).items()]
    write_tar(tmp_path / "d.tar.gz", members)
    dataset = load(DataOptions(source=str(tmp_path / "d.tar.gz")))
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 80


def test_tar_member_that_points_outside_is_refused(target: Path) -> None:
    write_tar(target, [(tarfile.TarInfo("../evil.png"), b"x")])
    refused(target, "points outside")


def test_tar_symlink_is_refused(target: Path) -> None:
    link = tarfile.TarInfo("0/link.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    write_tar(target, [(link, b"")])
    refused(target, "link or a device")


def test_tar_bomb_is_refused_while_it_unpacks(target: Path) -> None:
    write_tar(target, [(tarfile.TarInfo("0/a.png"), bytes(RATIO_FREE_BYTES + 1))])
    refused(target, "decompresses to more than its limit")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_truncated_tar_gz_is_refused(target: Path, kept: float) -> None:
    write_tar(target, [(tarfile.TarInfo(f"top/{n}"), c) for n, c in image_files(60).items()])
    data = target.read_bytes()
    target.write_bytes(data[: int(len(data) * kept)])
    refused(target, "damaged tar.gz")


def test_gzip_without_tar_is_refused(target: Path) -> None:
    target.write_bytes(gzip.compress(b"hello" * 1000))
    refused(target, "damaged tar.gz")
