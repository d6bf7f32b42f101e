"""Train, validation and test: once, by seed, by class, identical samples never apart."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import DataError


def sample_keys(x: NDArray[Any]) -> list[bytes]:
    """A hash of each sample's content."""
    contiguous = np.ascontiguousarray(x)
    return [hashlib.blake2b(sample.data, digest_size=16).digest() for sample in contiguous]


def divide(
    keys: Sequence[bytes],
    y: NDArray[np.int64],
    classes: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
) -> dict[str, NDArray[np.int64]]:
    """Indices of each part named in `fractions`, and of "train", which gets the rest.

    Stratified: each class gives each part its fraction of its samples, at least one. Samples with
    the same key go together, whatever their labels are (into the class of the first of them).
    Raises DataError where a class has too few different samples.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    by_class: dict[int, list[list[int]]] = defaultdict(list)
    for members in groups.values():
        by_class[int(y[members[0]])].append(members)

    parts: dict[str, list[int]] = {name: [] for name in [*fractions, "train"]}
    generator = np.random.Generator(np.random.PCG64(seed))
    for label, name in enumerate(classes):
        own = by_class[label]
        if len(own) < len(parts):
            raise DataError(
                f"class {name!r} has {len(own)} different samples; {len(parts)} parts "
                f"({', '.join(parts)}) need at least one each",
                hint="add samples, or remove the class",
            )
        _deal([own[i] for i in generator.permutation(len(own))], fractions, parts)
    return {name: np.array(sorted(indices), dtype=np.int64) for name, indices in parts.items()}


def _deal(
    groups: list[list[int]], fractions: Mapping[str, float], parts: dict[str, list[int]]
) -> None:
    """Append each group of one class to a part: the named ones until filled, then train."""
    total = sum(len(g) for g in groups)
    position = 0
    waiting = len(fractions)
    for name, fraction in fractions.items():
        wanted = max(1, round(fraction * total))
        taken = 0
        # One group must remain for every part still to come, train included.
        while taken < wanted and position < len(groups) - waiting:
            parts[name].extend(groups[position])
            taken += len(groups[position])
            position += 1
        waiting -= 1
    for members in groups[position:]:
        parts["train"].extend(members)
