"""Arrays in an .npz file, read without pickle and without trusting its headers."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from edgeflow.data.dataset import Split
from edgeflow.data.images import image_front_end, shape_images
from edgeflow.data.npz_targets import class_labels, marks, quantities, task_of_targets
from edgeflow.data.options import Color, DataOptions
from edgeflow.data.preprocessing import FrontEnd, RawFeatures
from edgeflow.data.raw import RawData
from edgeflow.data.task import Task
from edgeflow.data.tree import FileTree
from edgeflow.errors import DataError

_PARTS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_ROLES = dict.fromkeys(("x", "image", "images", "data", "features"), "x") | dict.fromkeys(
    ("y", "label", "labels", "target", "targets"), "y"
)
_KEYS_HINT = (
    "use the keys x and y, or x_train, y_train, x_test, y_test (x_validation, y_validation); data "
    "without labels is one array, x or x_test; anomaly detection takes x_train, x_test and y_test"
)


def read_npz(tree: FileTree, options: DataOptions) -> RawData:
    """Keys of one role (x, images, data, ...; y, labels, ...), alone or with a part (x_train, ...).

    x is [N, H, W, C], [N, H, W] or [N, features]; y holds integers or class names, or quantities
    [N] or [N, outputs]. `classes` may name the classes. One x alone is data without labels: its
    part is test. x_train, x_test and y_test (x_validation) are those of anomaly detection.
    """
    members = _members(tree)
    arrays = {slot: _array(tree, member) for slot, member in members.items()}
    if len(arrays) == 1 and next(iter(arrays))[1] == "x":
        (x,) = arrays.values()
        samples, front_end = _inputs(tree, {"test": x}, options)
        return RawData(tree.name, {"test": Split(samples["test"], None)}, (), front_end)
    y = {part: values for (part, role), values in arrays.items() if role == "y"}
    task = task_of_targets(tree.origin, y, ("train", "x") in arrays, options)
    parts = sorted({part for part, _ in arrays})
    _require_whole(tree, arrays, parts, task)
    samples, front_end = _inputs(tree, {part: arrays[part, "x"] for part in parts}, options)
    if task is Task.ANOMALY:
        targets: Mapping[str, NDArray[Any]] = {"test": marks(tree, y["test"])}
        classes: tuple[str, ...] = ()
    elif task is Task.REGRESSION:
        targets, classes = quantities(tree, y), ()
    else:
        targets, classes = class_labels(tree, y, _class_names(tree))
    splits = {part: Split(samples[part], targets.get(part)) for part in parts}
    return RawData(tree.name, splits, classes, front_end, task)


def task_of_npz(tree: FileTree, options: DataOptions) -> Task | None:
    """The task that the file is for, from its arrays of labels; None without any."""
    members = _members(tree)
    y = {part: _array(tree, name) for (part, role), name in members.items() if role == "y"}
    if not y:
        return None
    return task_of_targets(tree.origin, y, ("train", "x") in members, options)


def _members(tree: FileTree) -> dict[tuple[str, str], str]:
    """The member that holds each role of each part."""
    found: dict[tuple[str, str], str] = {}
    for member in tree.names:
        slot = _slot(member.removesuffix(".npy"))
        if slot in found:
            raise DataError(f"{tree.origin}: two arrays for {slot[1]} of {slot[0]}")
        if slot is not None:
            found[slot] = member
    return found


def _require_whole(
    tree: FileTree, arrays: Mapping[tuple[str, str], Any], parts: list[str], task: Task
) -> None:
    """Raise DataError where x or y of a part is missing that the task needs."""
    labelled = ["test"] if task is Task.ANOMALY else parts
    lacking = [f"x of {part}" for part in parts if (part, "x") not in arrays]
    lacking += [f"y of {part}" for part in labelled if (part, "y") not in arrays]
    if lacking or "train" not in parts:
        keys = ", ".join(name.removesuffix(".npy") for name in tree.names) or "none"
        raise DataError(
            f"{tree.origin}: no {lacking[0] if lacking else 'training'} array (keys: {keys})",
            hint=_KEYS_HINT,
        )


def _class_names(tree: FileTree) -> tuple[str, ...] | None:
    for member in tree.names:
        if member.removesuffix(".npy") in ("classes", "class_names"):
            return tuple(str(v) for v in _array(tree, member).reshape(-1))
    return None


def _inputs(
    tree: FileTree, x: dict[str, NDArray[Any]], options: DataOptions
) -> tuple[dict[str, NDArray[Any]], FrontEnd]:
    """Samples of each part as [N, H, W, C], and the front-end that they come from."""
    samples = {part: _samples(tree, part, values) for part, values in x.items()}
    main = "train" if "train" in samples else "test"
    first = samples[main]
    if first.dtype == np.uint8 and first.shape[3] in (1, 3) and x[main].ndim > 2:
        samples = {part: shape_images(values, options) for part, values in samples.items()}
        height, width, channels = samples[main].shape[1:]
        return samples, image_front_end((height, width), channels, options)
    if options.image_size or options.color is not Color.AUTO:
        raise DataError(
            f"{tree.origin}: image_size and color are for 8-bit images of 1 or 3 channels, "
            f"and x is {first.dtype} {first.shape}",
            hint="leave these options out, or bring the arrays to the wanted shape",
        )
    return samples, RawFeatures()


def _slot(key: str) -> tuple[str, str] | None:
    """(part, role) of a key such as x, x_train, train_images; None for others."""
    words = key.lower().split("_")
    roles = [_ROLES[w] for w in words if w in _ROLES]
    parts = [_PARTS[w] for w in words if w in _PARTS]
    if len(roles) != 1 or len(parts) + 1 != len(words) or len(parts) > 1:
        return None
    return (parts[0] if parts else "train", roles[0])


def _array(tree: FileTree, member: str) -> NDArray[Any]:
    """One .npy member. The header's size must match the data before anything is allocated."""
    data = tree.read(member)
    where = tree.where(member)
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = npy.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = npy.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version}")
    except Exception as error:  # the header is parsed as Python literals and fails in many ways
        raise DataError(
            f"{where}: damaged array header ({error})", hint="write the file again"
        ) from error
    if dtype.hasobject or dtype.names is not None:
        raise DataError(
            f"{where}: holds Python objects or records ({dtype}), which are not read",
            hint="save plain numeric arrays (numpy.savez with allow_pickle=False)",
        )
    start = stream.tell()
    expected = math.prod(shape) * dtype.itemsize
    if any(n < 0 for n in shape) or expected != len(data) - start:
        raise DataError(
            f"{where}: shape {shape} of {dtype} needs {expected} bytes, {len(data) - start} follow",
            hint="the file is truncated or damaged",
        )
    if dtype.itemsize == 0:
        return np.zeros(shape, dtype=dtype)
    flat = np.frombuffer(data, dtype=dtype, offset=start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _samples(tree: FileTree, part: str, x: NDArray[Any]) -> NDArray[Any]:
    if x.dtype == bool:
        x = x.astype(np.uint8)
    elif x.dtype.kind in "iu" and x.dtype != np.uint8:
        fits = x.size > 0 and x.min() >= 0 and x.max() <= 255
        x = x.astype(np.uint8 if fits else np.float32)
    elif x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # the infinity is reported with its index later
            x = x.astype(np.float32)
    if x.dtype.kind not in "uf" or x.ndim not in (2, 3, 4):
        raise DataError(
            f"{tree.origin}: {part} x has shape {x.shape} and type {x.dtype}",
            hint="x must be numeric, [N, H, W, C], [N, H, W] or [N, features]",
        )
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 3) and x.shape[2] > 4:
        raise DataError(
            f"{tree.origin}: {part} x has shape {x.shape}, which looks like [N, C, H, W]",
            hint="transpose to [N, H, W, C]",
        )
    shape = {2: (len(x), 1, 1, *x.shape[1:]), 3: (*x.shape, 1), 4: x.shape}[x.ndim]
    return np.ascontiguousarray(x).reshape(shape)
