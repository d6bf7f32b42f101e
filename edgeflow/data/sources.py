"""Data sources by name or by a path's content."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeflow.data.assemble import assemble
from edgeflow.data.cifar10 import read_cifar10
from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.detect import detect
from edgeflow.data.images import image_front_end, read_image_folders, shape_images
from edgeflow.data.mnist import read_mnist
from edgeflow.data.npz import read_npz, task_of_npz
from edgeflow.data.options import DataOptions, Format, TaskChoice
from edgeflow.data.raw import RawData
from edgeflow.data.task import Task
from edgeflow.data.tree import FileTree, open_tree
from edgeflow.data.wav import read_wav_folders
from edgeflow.errors import ConfigError, DataError, UnknownNameError
from edgeflow.progress import Progress, silent

__all__ = ["BUILT_IN", "READERS", "DataOptions", "load", "task_of"]


def _digits(options: DataOptions) -> RawData:
    """1797 scanned digits, 8x8, values 0 to 16 (UCI optdigits), shipped in scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = shape_images(bunch.images.astype(np.uint8)[..., np.newaxis], options)
    return RawData(
        name="digits",
        parts={"train": Split(x, bunch.target.astype(np.int64))},
        classes=tuple(str(n) for n in range(10)),
        front_end=image_front_end((x.shape[1], x.shape[2]), x.shape[3], options),
    )


BUILT_IN: dict[str, Callable[[DataOptions], RawData]] = {"digits": _digits}

READERS: dict[Format, Callable[[FileTree, DataOptions, Progress], RawData]] = {
    Format.IMAGE_FOLDERS: read_image_folders,
    Format.WAV_FOLDERS: read_wav_folders,
    Format.NPZ: lambda tree, options, _: read_npz(tree, options),
    Format.CIFAR10: lambda tree, options, _: read_cifar10(tree, options),
    Format.MNIST: lambda tree, options, _: read_mnist(tree, options),
}


def load(options: DataOptions, progress: Progress = silent) -> Dataset:
    """The data set that `options` describe; a built-in name wins over a path of the same spelling.

    Raises UnknownNameError for a source that is neither built in nor a path, and DataError for
    data that is missing, corrupt, hostile or of the wrong shape.
    """
    if options.source in BUILT_IN:
        if options.format is not Format.AUTO:
            raise ConfigError(
                f"source {options.source!r} is built in and takes no format",
                hint=f"leave format out; ./{options.source} names a folder",
            )
        return assemble(_of_task(BUILT_IN[options.source](options), options), options)
    path = Path(options.source).expanduser()
    if not path.exists():
        raise _not_found(options.source)
    with open_tree(path, options.max_decoded_bytes) as tree:
        form = detect(tree) if options.format is Format.AUTO else options.format
        raw = READERS[form](tree, options, progress)
    return assemble(_of_task(raw, options), options)


def task_of(options: DataOptions) -> Task | None:
    """The task of a source that exists, None for data without labels; looks at no samples."""
    chosen = Task.ANOMALY if options.normal_class else _CHOSEN.get(options.task)
    if options.source not in BUILT_IN:
        with open_tree(Path(options.source).expanduser(), options.max_decoded_bytes) as tree:
            form = detect(tree) if options.format is Format.AUTO else options.format
            if form is Format.NPZ:
                found = task_of_npz(tree, options)
                return found if found is not Task.CLASSIFICATION else chosen or found
    return chosen or Task.CLASSIFICATION


_CHOSEN: dict[TaskChoice, Task] = {TaskChoice(task.value): task for task in Task}


def _of_task(raw: RawData, options: DataOptions) -> RawData:
    """Data with classes as those of the task that is asked for."""
    if raw.task is not Task.CLASSIFICATION or not raw.classes:
        return raw
    if options.normal_class or options.task is TaskChoice.ANOMALY:
        return replace(raw, task=Task.ANOMALY)
    if options.task is TaskChoice.REGRESSION:
        raise DataError(
            f"{raw.name} holds classes, and regression needs quantities",
            hint="bring an .npz whose y holds numbers, [N] or [N, outputs]",
        )
    return raw


def _not_found(source: str) -> DataError | UnknownNameError:
    if any(c in source for c in "/\\."):
        return DataError(
            f"no file or folder {source!r}",
            hint=f"check the path; built-in sources: {', '.join(BUILT_IN)}",
        )
    close = difflib.get_close_matches(source, BUILT_IN, n=1)
    return UnknownNameError(
        f"no data source {source!r}, and no file or folder of that name",
        hint=f"did you mean {close[0]!r}?" if close else f"built-in sources: {', '.join(BUILT_IN)}",
    )
