"""What format a tree of files is in, from their names."""

from __future__ import annotations

from pathlib import PurePosixPath

from edgeflow.data.cifar10 import PICKLED_FILE, TEST_FILE, TRAIN_FILE, refuse_pickle
from edgeflow.data.class_folders import IMAGE_SUFFIXES, UNREAD_SUFFIXES, WAV_SUFFIXES
from edgeflow.data.mnist import IDX_FILE
from edgeflow.data.options import Format
from edgeflow.data.tree import ARCHIVE_SUFFIXES, FileTree
from edgeflow.errors import DataError


def detect(tree: FileTree) -> Format:
    """The one format that `tree` fits; DataError where it fits none or several."""
    found = set()
    paths = [PurePosixPath(name) for name in tree.names]
    bases = {path.name for path in paths}
    suffixes = {path.suffix.lower() for path in paths}
    if TEST_FILE in bases or any(TRAIN_FILE.fullmatch(base) for base in bases):
        found.add(Format.CIFAR10)
    elif any(PICKLED_FILE.fullmatch(base) for base in bases):
        raise refuse_pickle(tree)
    if any(IDX_FILE.fullmatch(base) for base in bases):
        found.add(Format.MNIST)
    if paths and suffixes == {".npy"}:
        found.add(Format.NPZ)
    if suffixes & IMAGE_SUFFIXES:
        found.add(Format.IMAGE_FOLDERS)
    if suffixes & WAV_SUFFIXES:
        found.add(Format.WAV_FOLDERS)
    if len(found) == 1:
        return found.pop()
    if found:
        raise DataError(
            f"{tree.origin}: could be {' or '.join(sorted(found))}",
            hint="set format to the one that is meant, or give the folder of one data set",
        )
    packed = [path for path in paths if path.suffix.lower() in (".npz", *ARCHIVE_SUFFIXES)]
    if len(packed) == 1:
        raise DataError(
            f"{tree.origin}: holds no data but the archive {packed[0]}",
            hint=f"give the file itself: {tree.where(str(packed[0]))}",
        )
    unread = sorted(suffixes & UNREAD_SUFFIXES)
    kinds = ", ".join(unread or sorted(suffixes)[:8]) or "no files at all"
    raise DataError(
        f"{tree.origin}: no data format recognised (found: {kinds})",
        hint="data may be class folders of PNG, JPEG or 16-bit WAV files (or a zip of them), an "
        ".npz, CIFAR-10's binary files, or MNIST's idx files",
    )
