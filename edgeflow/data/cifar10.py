"""CIFAR-10's binary version (Krizhevsky 2009): a label byte, then 3072 pixels in planes R, G, B."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np

from edgeflow.data.dataset import Split
from edgeflow.data.images import image_front_end, shape_images
from edgeflow.data.options import DataOptions
from edgeflow.data.raw import RawData
from edgeflow.data.tree import FileTree
from edgeflow.errors import DataError

TRAIN_FILE = re.compile(r"data_batch_\d+\.bin")
TEST_FILE = "test_batch.bin"
NAMES_FILE = "batches.meta.txt"
PICKLED_FILE = re.compile(r"data_batch_\d+|test_batch|batches\.meta")
_RECORD_BYTES = 1 + 32 * 32 * 3
_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def read_cifar10(tree: FileTree, options: DataOptions) -> RawData:
    """All `data_batch_*.bin` are training; `test_batch.bin`, where present, is the test part."""
    by_base = {PurePosixPath(name).name: name for name in tree.names}
    train = sorted(base for base in by_base if TRAIN_FILE.fullmatch(base))
    if not train:
        raise DataError(
            f"{tree.origin}: {TEST_FILE} without data_batch_1.bin to data_batch_5.bin",
            hint="give the folder with all files of CIFAR-10's binary version",
        )
    parts = {"train": _read(tree, [by_base[base] for base in train], options)}
    if TEST_FILE in by_base:
        parts["test"] = _read(tree, [by_base[TEST_FILE]], options)
    classes: tuple[str, ...] = _CLASSES
    if NAMES_FILE in by_base:
        text = tree.read(by_base[NAMES_FILE]).decode("utf-8", errors="replace")
        named = tuple(line.strip() for line in text.splitlines() if line.strip())
        if len(named) != len(_CLASSES):
            raise DataError(
                f"{tree.where(by_base[NAMES_FILE])}: {len(named)} class names instead of 10"
            )
        classes = named
    height, width, channels = parts["train"].x.shape[1:]
    front_end = image_front_end((height, width), channels, options)
    return RawData(tree.name, parts, classes, front_end)


def refuse_pickle(tree: FileTree) -> DataError:
    """The error for CIFAR-10's Python version."""
    return DataError(
        f"{tree.origin}: this is CIFAR-10's Python version, which is pickled, and pickles run code",
        hint="use CIFAR-10's binary version (data_batch_1.bin ...), or an .npz or image folders",
    )


def _read(tree: FileTree, names: list[str], options: DataOptions) -> Split:
    records = []
    for name in names:
        data = tree.read(name)
        if not data or len(data) % _RECORD_BYTES:
            raise DataError(
                f"{tree.where(name)}: {len(data)} bytes are not whole records of {_RECORD_BYTES}",
                hint="the file is truncated or not of CIFAR-10 (CIFAR-100 is not read)",
            )
        records.append(np.frombuffer(data, dtype=np.uint8).reshape(-1, _RECORD_BYTES))
    rows = np.concatenate(records)
    planes = rows[:, 1:].reshape(-1, 3, 32, 32)
    x = shape_images(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), options)
    return Split(x, rows[:, 0].astype(np.int64))
