"""Data sources by name or by a path's content."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgeflow.data.assemble import RawData, assemble
from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.options import DataOptions
from edgeflow.data.preprocessing import ImageFrontEnd
from edgeflow.errors import DataError, UnknownNameError

__all__ = ["BUILT_IN", "DataOptions", "load"]


def _digits() -> RawData:
    """1797 scanned digits, 8x8, values 0 to 16 (UCI optdigits), shipped in scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = bunch.images.astype(np.uint8)[..., np.newaxis]
    return RawData(
        name="digits",
        parts={"train": Split(x, bunch.target.astype(np.int64))},
        classes=tuple(str(n) for n in range(10)),
        front_end=ImageFrontEnd(height=8, width=8, channels=1),
    )


BUILT_IN: dict[str, Callable[[], RawData]] = {"digits": _digits}


def load(options: DataOptions) -> Dataset:
    """The data set that `options` describe.

    Raises UnknownNameError for a source that is neither built in nor a path, and DataError for
    data that is missing, corrupt, hostile or of the wrong shape.
    """
    if options.source in BUILT_IN:
        return assemble(BUILT_IN[options.source](), options)
    path = Path(options.source).expanduser()
    if not path.exists():
        raise _not_found(options.source)
    raise DataError(f"{path}: no reader recognises it")


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
