"""Compute and sizes of the growth benchmark are what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.train import growing
from benchmarks.train.frame import FORWARD_AND_BACKWARD, Effort, dataset, forward_macs
from benchmarks.train.growth import COURSES, scaled
from edgeflow.nets.specs import Convolution, Logits


def test_compute_of_a_grown_network_counts_every_training_and_the_search() -> None:
    course = replace(COURSES[0], steps=1, epochs=1, last_epochs=2)
    data = dataset(course.data, Effort.QUICK)
    assert data is not None
    first = growing.start(course, data, 0)
    last = growing.grow(course, data, 0)
    before, after = forward_macs(first.spec), forward_macs(last.spec)
    assert first.macs == FORWARD_AND_BACKWARD * before * len(data.train)
    # Three widths that can grow, statistics on each, one line search.
    passes = 3 * growing.STATISTICS_PASSES + growing.LINE_SEARCH_PASSES
    search = passes * growing.SAMPLES * after
    trained = FORWARD_AND_BACKWARD * after * len(data.train) * 2
    assert last.macs == pytest.approx(first.macs + search + trained)
    assert growing.parameters_of(last.spec) > growing.parameters_of(first.spec)


def test_fixed_networks_are_wider_and_have_as_many_outputs() -> None:
    data = dataset(COURSES[0].data, Effort.QUICK)
    assert data is not None
    spec = growing.start(replace(COURSES[0], epochs=1), data, 0).spec
    wide = scaled(spec, 2.5)
    assert [c.channels for c in wide.cells if isinstance(c, Convolution)] == [8, 10, 10]
    assert wide.cells[-1] == Logits(units=10)
    assert scaled(spec, 1.0) == spec
