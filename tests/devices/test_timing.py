"""Times: what is measured and how certain it is; never how long anything took."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.native.toolchain import build_program
from edgeflow.devices import timing
from edgeflow.devices.linux_runner import runner_for
from edgeflow.devices.processor import Processor
from edgeflow.devices.timing import Protocol, time_program
from edgeflow.targets.registry import load
from edgeflow.targets.schema import KernelSet
from tests.backends.hand_written import INPUT_BYTES, invoke_only
from tests.backends.ordinary_networks import ordinary_network
from tests.devices.aarch64 import needs_x86_64

pytestmark = needs_x86_64
QUICK = Protocol(round_seconds=0.002, warm_up_seconds=0.001, least_rounds=3, most_rounds=4)
ROWS = np.zeros((2, INPUT_BYTES), np.int8)


def test_every_layer_is_timed_in_the_order_in_which_it_runs() -> None:
    source = generate(ordinary_network(0), KernelSet.PORTABLE_C)
    target = load("linux-x86_64")
    inputs = np.zeros((3, source.input_bytes), np.int8)
    found = time_program(runner_for(target), build_program(source, target), inputs, QUICK)
    assert [layer.symbol for layer in found.layers] == [layer.symbol for layer in source.layers]
    assert all(0 < layer.seconds < found.p95_seconds * 100 for layer in found.layers)
    assert 0 < found.median_seconds <= found.p95_seconds
    assert 3 <= found.rounds <= 4
    assert found.inferences >= 3 * 5


def test_a_model_of_hand_written_c_has_no_layers_to_time() -> None:
    target = load("linux-x86_64")
    program = build_program(invoke_only("out[0] = in[0];"), target)
    found = time_program(runner_for(target), program, ROWS, QUICK)
    assert found.layers == ()


def test_rounds_that_agree_are_certain_and_others_are_not() -> None:
    alike = [np.full(9, 1000, np.uint64)] * 5
    assert timing._half_width(alike) == 0.0
    apart = [np.full(9, value, np.uint64) for value in (900, 1000, 1100)]
    # Student's t for two degrees of freedom is 4.303; the standard error is 100 / sqrt(3).
    assert timing._half_width(apart) == pytest.approx(4.303 * 100 / math.sqrt(3) / 1000, rel=1e-3)
    assert timing._half_width(apart[:1]) == math.inf


def test_a_governor_that_saves_power_and_a_busy_machine_are_warned_of() -> None:
    told = timing._warning(0.05, QUICK, Processor("p", frozenset(), 1, "powersave"))
    assert "the frequency governor is 'powersave', not 'performance'" in told
    assert "known to 5.0% only, 2% was wanted" in told
    assert timing._warning(0.01, QUICK, Processor("p", frozenset(), 1, "")) == ""
