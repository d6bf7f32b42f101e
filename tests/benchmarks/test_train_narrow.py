"""The benchmark of wide, then narrow charges its compute in full."""

from __future__ import annotations

from benchmarks.train.frame import Data
from benchmarks.train.narrow import COURSES, Course, compute
from edgeflow.grow.narrow_options import NarrowOptions
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import Convolution, GlobalAveragePool, Logits


def test_twin_imitation_and_last_training_are_counted_by_hand() -> None:
    cells = (Convolution(channels=2), GlobalAveragePool(), Logits(units=3))
    spec = NetworkSpec(name="thin", input_shape=(4, 4, 1), cells=cells)
    narrow = NarrowOptions(width=2, wide_epochs=1, imitation_epochs=1, output_epochs=1)
    thin, wide = 16 * 9 * 2 + 2 * 3, 16 * 9 * 4 + 4 * 3
    maps = 2 * 2 * 4
    first = 16 * 9 * 4 + 3 * (16 * 9 * 2 + maps)
    second = wide + (16 * 9 * 2 + maps) + 3 * (2 * 3)
    expected = 3 * wide + (first + second) + (wide + 3 * thin) + 3 * thin
    assert compute(spec, Course(Data.DIGITS, cells, narrow, epochs=1), 10) == 10 * expected


def test_a_longer_imitation_costs_more() -> None:
    course = COURSES[0]
    longer = course.narrow.model_copy(update={"imitation_epochs": 5})
    spec = NetworkSpec(name="thin", input_shape=(8, 8, 1), cells=course.cells)
    assert compute(spec, Course(course.data, course.cells, longer, course.epochs), 100) > compute(
        spec, course, 100
    )
