"""A measurement counts what the device did, and notices a wrong answer."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.measurement import Comparison, Measurement, Samples, compare, figures, measure
from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.figures import FigureKind, Unit
from edgeflow.targets.registry import load

X = np.random.default_rng(5).integers(-128, 128, (4, 8, 8, 1), dtype=np.int8)


@cache
def measured() -> Measurement:
    wrong = np.zeros((4, 10), dtype=np.int8)
    samples = Samples(X, np.zeros(4, dtype=np.int64), "four random inputs")
    return measure(
        "small", lowered(REFERENCES[0]), load("cortex-m4"), samples, (("zeros", wrong),), ()
    )


def test_the_device_is_compared_with_the_interpreter_and_every_reference() -> None:
    exact, wrong = measured().comparisons
    assert exact == Comparison("interpreter", 4, 4)
    assert wrong.reference == "zeros"
    assert not wrong.passed
    assert not measured().bit_exact


def test_layers_and_what_lies_outside_of_them_are_the_whole_inference() -> None:
    m = measured()
    layers = sum(layer.instructions for layer in m.layers)
    assert 0 < m.instructions - layers < 0.01 * m.instructions
    assert sum(layer.macs for layer in m.layers) == m.macs == 84_224
    assert sum(layer.weight_bytes for layer in m.layers) == m.weight_bytes


def test_every_figure_says_unit_kind_and_source() -> None:
    by_name = {figure.name: figure for figure in figures(measured())}
    assert by_name["instructions per inference"].kind is FigureKind.SIMULATED
    assert by_name["flash"].kind is FigureKind.MEASURED
    assert by_name["accuracy"].unit is Unit.FRACTION
    assert all(figure.source for figure in by_name.values())
    flash, beyond = by_name["flash"].value, by_name["flash beyond weights and biases"].value
    assert flash - beyond == measured().weight_bytes
    assert by_name["arena"].value <= by_name["static RAM"].value


def test_one_different_value_is_one_different_answer() -> None:
    expected = np.arange(12, dtype=np.int8).reshape(3, 4)
    altered = expected.copy()
    altered[1, 2] += 1
    assert compare("x", expected, expected).passed
    assert compare("x", altered, expected) == Comparison("x", 3, 2)
