"""MNIST's idx files (LeCun, Cortes), plain or gzipped, and data sets in the same format."""

from __future__ import annotations

import re
import zlib
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.dataset import Split
from edgeflow.data.images import image_front_end, shape_images
from edgeflow.data.options import DataOptions
from edgeflow.data.raw import RawData
from edgeflow.data.tree import FileTree
from edgeflow.errors import DataError

IDX_FILE = re.compile(
    r"(?:.*[-_.])?(?P<part>train|t10k|test)[-_.](?P<role>images|labels)[-_.]idx[13]-ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_UNSIGNED_BYTE = 0x08


def read_mnist(tree: FileTree, options: DataOptions) -> RawData:
    """`train-images...` and `train-labels...`; `t10k-...` or `test-...`, where present, is test."""
    found: dict[tuple[str, str], str] = {}
    for name in tree.names:
        match = IDX_FILE.fullmatch(PurePosixPath(name).name)
        if match is None:
            continue
        key = ("train" if match["part"].lower() == "train" else "test", match["role"].lower())
        if key in found and not _same_file(found[key], name):
            raise DataError(
                f"{tree.origin}: {found[key]} and {name} are both {key[0]} {key[1]}",
                hint="give a folder with one data set",
            )
        found.setdefault(key, name)
    parts = {}
    for part in ("train", "test"):
        images, labels = found.get((part, "images")), found.get((part, "labels"))
        if images and labels:
            parts[part] = _part(tree, images, labels, options)
        elif images or labels or part == "train":
            raise DataError(
                f"{tree.origin}: {part} images or labels are missing",
                hint="idx files come in pairs: train-images-idx3-ubyte and train-labels-idx1-ubyte",
            )
    count = 1 + max(int(split.labels.max()) for split in parts.values())
    height, width, channels = parts["train"].x.shape[1:]
    front_end = image_front_end((height, width), channels, options)
    return RawData(tree.name, parts, tuple(str(n) for n in range(count)), front_end)


def _same_file(one: str, other: str) -> bool:
    """A file and its gzipped copy side by side."""
    return one.removesuffix(".gz") == other.removesuffix(".gz")


def _part(tree: FileTree, images: str, labels: str, options: DataOptions) -> Split:
    x = _array(tree, images, 3, options.max_decoded_bytes)[..., np.newaxis]
    y = _array(tree, labels, 1, options.max_decoded_bytes)
    if len(x) != len(y):
        raise DataError(f"{tree.origin}: {len(x)} images in {images}, {len(y)} labels in {labels}")
    return Split(shape_images(x, options), y.astype(np.int64))


def _array(tree: FileTree, name: str, rank: int, max_bytes: int) -> NDArray[Any]:
    """An idx file: two zero bytes, type, rank, big-endian sizes, data."""
    data = tree.read(name)
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data, tree.where(name), max_bytes)
    header = 4 + 4 * rank
    if len(data) < header or data[:4] != bytes((0, 0, _UNSIGNED_BYTE, rank)):
        raise DataError(
            f"{tree.where(name)}: starts with {data[:4].hex()}, not with 00000{_UNSIGNED_BYTE}"
            f"{rank:02x} (idx, unsigned bytes, {rank} dimensions)",
            hint="the file is damaged or of another kind",
        )
    shape = tuple(int(n) for n in np.frombuffer(data, dtype=">u4", count=rank, offset=4))
    expected = int(np.prod([int(n) for n in shape], dtype=object))
    if expected != len(data) - header or 0 in shape:
        raise DataError(
            f"{tree.where(name)}: shape {shape} needs {expected} bytes, "
            f"{len(data) - header} are there",
            hint="the file is truncated or damaged",
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)


def _gunzip(data: bytes, where: str, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        result = stream.decompress(data, max_bytes)
    except zlib.error as error:
        raise DataError(f"{where}: damaged gzip file ({error})") from error
    if not stream.eof:
        state = "decompresses to more than the limit of" if stream.unconsumed_tail else "truncated;"
        raise DataError(f"{where}: {state} {max_bytes} bytes", hint="fetch the file again")
    return result
