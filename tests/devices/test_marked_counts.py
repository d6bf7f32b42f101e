"""Instructions of programs in an emulator: exact, layer by layer, and few enough."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.native.toolchain import build_program
from edgeflow.devices import marked_counts
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.linux_runner import runner_for
from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.constant_channels import without_constant_channels
from edgeflow.targets.registry import load
from tests.backends.hand_written import INPUT_BYTES, source_tree
from tests.devices.aarch64 import needs_qemu_user
from tests.shared_data import shared_file

pytestmark = needs_qemu_user

ROWS = np.arange(12 * INPUT_BYTES, dtype=np.int64).astype(np.int8).reshape(12, 4, 4)


def _layer(name: str, body: str) -> str:
    return f"__attribute__((noinline)) void {name}(void) {{ {body} }}\n"


def _run(bodies: dict[str, str]) -> DeviceRun:
    target = load("raspberry-pi-4")
    layers = "".join(_layer(name, body) for name, body in bodies.items())
    calls = "".join(f"{name}();" for name in bodies)
    model = source_tree(f"{layers}\nvoid edgeflow_invoke(void) {{ {calls} }}\n", tuple(bodies))
    return runner_for(target).run(build_program(model, target), ROWS, RunLimits())


def _straight(count: int) -> str:
    return f'__asm__ volatile(".rept {count}\\n nop\\n .endr" ::: "memory");'


def test_straight_code_counts_instruction_by_instruction() -> None:
    run = _run({"short_one": _straight(100), "long_one": _straight(5100)})
    short, long = (row.instructions for row in run.layers)
    assert np.array_equal(long - short, np.full(marked_counts.COUNTED_INPUTS, 5000))
    assert 100 < short[0] < 112  # the call and the return
    assert np.array_equal(run.instructions, short + long)


def test_loops_that_depend_on_the_input_are_counted_for_each_input() -> None:
    body = "for (volatile int i = 0; i < (in[0] & 127); i++) {}"
    (row,) = _run({"looping": body}).layers
    times = ROWS[: marked_counts.COUNTED_INPUTS, 0, 0].astype(np.int64) & 127
    steps = np.unique(np.diff(row.instructions) / np.diff(times))
    assert len(steps) == 1
    assert 3 <= steps[0] <= 9


def test_no_inputs_are_not_counted() -> None:
    target = load("raspberry-pi-4")
    model = source_tree(
        _layer("one", _straight(3)) + "void edgeflow_invoke(void) { one(); }", ("one",)
    )
    run = runner_for(target).run(build_program(model, target), ROWS[:0], RunLimits())
    assert run.instructions.size == 0


def test_another_version_of_the_plugin_interface_is_asked_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(marked_counts, "FIRST_API_VERSION", 0)
    assert _run({"one": _straight(50)}).instructions[0] > 50


# Measured, and a little more: what a change may cost unnoticed.
MOST = {
    ("jetson-nano", "ic_resnet8_int8"): 4_240_000,
    ("jetson-nano", "kws_dscnn_int8"): 1_535_000,
    ("jetson-nano", "vww_mobilenet_int8"): 3_395_000,
    ("raspberry-pi-5", "ic_resnet8_int8"): 1_720_000,
    ("raspberry-pi-5", "kws_dscnn_int8"): 986_000,
    ("raspberry-pi-5", "vww_mobilenet_int8"): 2_340_000,
}


@pytest.mark.parametrize(("board", "name"), MOST)
def test_the_kernels_for_neon_take_no_more_instructions_than_they_did(
    board: str, name: str
) -> None:
    model = shared_file(f"mlperf_tiny/{name}.tflite").read_bytes()
    graph = without_constant_channels(canonicalize(tflite.read(model)))
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    inputs = np.random.default_rng(0).integers(-128, 128, (1, *shape), dtype=np.int8)
    target = load(board)
    program = build_program(generate(graph, target.firmware.kernel_set), target)
    assert runner_for(target).run(program, inputs, RunLimits()).instructions[0] <= MOST[board, name]
