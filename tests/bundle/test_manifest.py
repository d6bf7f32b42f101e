"""A bundle is written whole, read back only when every byte is as written, and stays inside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeflow.bundle.manifest import MANIFEST, read_bundle, write_bundle
from edgeflow.errors import BundleError, StorageError

FILES = {"model.tflite": b"model", "firmware/firmware.elf": b"\x7fELF", "test/labels.npy": b"123"}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(FILES, tmp_path / "bundle", target="cortex-m4", model="small")
    return tmp_path / "bundle"


def test_what_was_written_is_read_back(bundle: Path) -> None:
    manifest, files = read_bundle(bundle)
    assert files == FILES
    assert manifest.target == "cortex-m4"


def test_writing_twice_gives_the_same_bytes_and_leaves_nothing_behind(bundle: Path) -> None:
    before = (bundle / MANIFEST).read_bytes()
    write_bundle({"other": b"1"}, bundle, target="t", model="m")
    assert read_bundle(bundle)[1] == {"other": b"1"}
    write_bundle(FILES, bundle, target="cortex-m4", model="small")
    assert (bundle / MANIFEST).read_bytes() == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: (b / "model.tflite").write_bytes(b"mODEL"), "'model.tflite' was altered"),
        (lambda b: (b / "model.tflite").write_bytes(b"mod"), "has 3 bytes instead of 5"),
        (lambda b: (b / "model.tflite").unlink(), "'model.tflite' is missing"),
        (lambda b: (b / "more").write_bytes(b""), "'more' is not in the manifest"),
        (lambda b: (b / MANIFEST).write_bytes(b"{"), "manifest.json"),
        (lambda b: (b / MANIFEST).unlink(), "no readable manifest.json"),
    ],
)
def test_any_change_is_noticed_and_named(bundle: Path, change, words: str) -> None:
    change(bundle)
    with pytest.raises(BundleError) as caught:
        read_bundle(bundle)
    assert words in caught.value.message


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/../../b", "c:\\x"])
def test_a_manifest_that_points_outside_is_refused(bundle: Path, name: str) -> None:
    document = json.loads((bundle / MANIFEST).read_text())
    document["files"][name] = document["files"].pop("model.tflite")
    (bundle / "model.tflite").unlink()
    (bundle / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(BundleError, match="outside the bundle"):
        read_bundle(bundle)


def test_a_symbolic_link_in_place_of_a_file_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"model")
    (bundle / "model.tflite").unlink()
    (bundle / "model.tflite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="missing"):
        read_bundle(bundle)


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="could not be written"):
        write_bundle(FILES, tmp_path / "file" / "bundle", target="t", model="m")
