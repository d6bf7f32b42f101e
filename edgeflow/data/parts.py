"""Parts of a source: what is in several goes to one, and what it lacks is cut from training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.dataset import Split
from edgeflow.data.options import DataOptions
from edgeflow.data.split import divide, sample_keys
from edgeflow.errors import DataError


def separate(parts: Mapping[str, Split]) -> tuple[dict[str, Split], int]:
    """Keep a sample only in the first of test, validation, train that holds it.

    Also gives how many were left out. Raises DataError where nothing remains of a part.
    """
    result: dict[str, Split] = {}
    seen: set[bytes] = set()
    dropped = 0
    for part in ("test", "validation", "train"):
        if part not in parts:
            continue
        split = parts[part]
        if len(parts) > 1:
            keys = sample_keys(split.x)
            keep = np.array([key not in seen for key in keys], dtype=bool)
            seen.update(keys)
            if not keep.all():
                dropped += int((~keep).sum())
                split = split.select(keep)
        if not len(split):
            raise DataError(
                f"every sample of the {part} part is also in another part",
                hint="the source's parts must hold different samples",
            )
        result[part] = split
    return result, dropped


def split_missing(
    parts: Mapping[str, Split],
    strata: NDArray[Any],
    names: Sequence[str],
    options: DataOptions,
) -> dict[str, Split]:
    """Cut what is missing of test and validation from train, the same share of each stratum.

    `strata` holds a number for each training sample, `names` what that stratum is called.
    """
    fractions = {"test": options.test_fraction, "validation": options.validation_fraction}
    missing = {name: value for name, value in fractions.items() if name not in parts}
    if not missing:
        return dict(parts)
    whole = parts["train"]
    indices = divide(sample_keys(whole.x), strata, names, missing, options.seed)
    return {**parts, **{name: whole.select(i) for name, i in indices.items()}}
