from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.data.split import divide, sample_keys
from edgeflow.errors import DataError

FRACTIONS = {"test": 0.2, "validation": 0.15}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=5),
    copies=st.integers(0, 20),
)
def test_every_sample_is_in_one_part_and_copies_stay_together(
    seed: int, counts: list[int], copies: int
) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    keys = [i.to_bytes(4, "little") for i in range(len(y))]
    keys += keys[:copies]
    y = np.concatenate([y, y[:copies]])
    parts = divide(keys, y, [str(n) for n in range(len(counts))], FRACTIONS, seed)
    together = np.concatenate(list(parts.values()))
    assert sorted(together) == list(range(len(y)))
    owners = [{keys[i] for i in indices} for indices in parts.values()]
    assert not owners[0] & owners[1]
    assert not owners[0] & owners[2]
    assert not owners[1] & owners[2]
    for indices in parts.values():
        assert set(y[indices]) == set(range(len(counts)))


def test_classes_keep_their_fractions() -> None:
    y = np.repeat([0, 1, 2], [100, 200, 1000])
    keys = [i.to_bytes(4, "little") for i in range(len(y))]
    parts = divide(keys, y, "abc", FRACTIONS, 0)
    assert np.bincount(y[parts["test"]]).tolist() == [20, 40, 200]
    assert np.bincount(y[parts["validation"]]).tolist() == [15, 30, 150]


def test_seed_decides_the_split() -> None:
    y = np.repeat([0, 1], 50)
    keys = [i.to_bytes(4, "little") for i in range(100)]
    first, again, other = (divide(keys, y, "ab", FRACTIONS, seed) for seed in (3, 3, 4))
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["test"] != other["test"]).any()


def test_copies_with_different_labels_stay_together() -> None:
    y = np.array([0, 1] * 10)
    keys = [(i // 2).to_bytes(4, "little") for i in range(20)]
    with pytest.raises(DataError, match="class 'b' has 0 different samples"):
        divide(keys, y, "ab", FRACTIONS, 0)


def test_class_with_too_few_different_samples_is_named() -> None:
    y = np.array([0] * 10 + [1] * 5)
    keys = [i.to_bytes(4, "little") for i in range(10)] + [b"same"] * 5
    with pytest.raises(DataError, match="class 'cat' has 1 different samples"):
        divide(keys, y, ["dog", "cat"], FRACTIONS, 0)


def test_keys_follow_content() -> None:
    x = np.zeros((3, 2, 2, 1), dtype=np.uint8)
    x[2, 0, 0, 0] = 1
    keys = sample_keys(x)
    assert keys[0] == keys[1] != keys[2]
