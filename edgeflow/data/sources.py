"""Data sources by name or by a path's content."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgeflow.data.assemble import RawData, assemble
from edgeflow.data.cifar10 import read_cifar10
from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.detect import detect
from edgeflow.data.images import image_front_end, read_image_folders, shape_images
from edgeflow.data.mnist import read_mnist
from edgeflow.data.npz import has_labels, read_npz
from edgeflow.data.options import DataOptions, Format
from edgeflow.data.tree import FileTree, open_tree
from edgeflow.data.wav import read_wav_folders
from edgeflow.errors import ConfigError, DataError, UnknownNameError
from edgeflow.progress import Progress, silent

__all__ = ["BUILT_IN", "READERS", "DataOptions", "is_labelled", "load"]


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
        return assemble(BUILT_IN[options.source](options), options)
    path = Path(options.source).expanduser()
    if not path.exists():
        raise _not_found(options.source)
    with open_tree(path, options.max_decoded_bytes) as tree:
        form = detect(tree) if options.format is Format.AUTO else options.format
        raw = READERS[form](tree, options, progress)
    return assemble(raw, options)


def is_labelled(options: DataOptions) -> bool:
    """Whether the data of a source that exists has labels; looks at names, not at samples."""
    if options.source in BUILT_IN:
        return True
    with open_tree(Path(options.source).expanduser(), options.max_decoded_bytes) as tree:
        form = detect(tree) if options.format is Format.AUTO else options.format
        return form is not Format.NPZ or has_labels(tree)


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
