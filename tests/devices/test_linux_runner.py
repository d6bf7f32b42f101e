"""Programs on this host and under QEMU's user mode: answers, crashes, hangs, wrong machines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.native.toolchain import build_program
from edgeflow.devices import linux_runner, processor
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import runner_for
from edgeflow.devices.processor import Processor
from edgeflow.errors import DataError, DeviceFaultError, DeviceTimeoutError, MissingToolError
from edgeflow.figures import FigureKind
from edgeflow.targets.registry import load
from tests.backends.hand_written import INPUT_BYTES, invoke_only
from tests.devices.aarch64 import LINUX_TARGETS, needs_x86_64

ROWS = np.arange(3 * INPUT_BYTES, dtype=np.int8).reshape(3, 4, 4)


@pytest.mark.parametrize("name", LINUX_TARGETS)
def test_every_input_gets_its_answer(name: str) -> None:
    target = load(name)
    model = invoke_only("for (int i = 0; i < 16; ++i) out[i] = (int8_t)(in[15 - i] + 1);")
    run = runner_for(target).run(build_program(model, target), ROWS, RunLimits())
    assert np.array_equal(run.outputs, ROWS.reshape(3, 16)[:, ::-1] + 1)
    assert run.instructions.size == 0
    emulated = name != "linux-x86_64"
    assert run.kind is (FigureKind.SIMULATED if emulated else FigureKind.MEASURED)


@pytest.mark.parametrize("name", LINUX_TARGETS[:2])
def test_a_crash_is_a_fault_that_names_the_signal(name: str) -> None:
    target = load(name)
    program = build_program(invoke_only("*(volatile int8_t *)4 = in[0]; out[0] = 1;"), target)
    with pytest.raises(DeviceFaultError, match=r"crashed on .*: SIGSEGV"):
        runner_for(target).run(program, ROWS, RunLimits())


@pytest.mark.parametrize("name", LINUX_TARGETS[:2])
def test_a_hang_ends_at_the_wall_limit(name: str) -> None:
    target = load(name)
    program = build_program(invoke_only("volatile int8_t v = in[0]; while (v + 200) {}"), target)
    with pytest.raises(DeviceTimeoutError, match=r"did not finish on .* within 1 s"):
        runner_for(target).run(program, ROWS, RunLimits(seconds=1.0))


@pytest.mark.parametrize("name", LINUX_TARGETS[:1])
def test_inputs_of_another_size_are_told(name: str) -> None:
    target = load(name)
    program = build_program(invoke_only("out[0] = in[0];"), target)
    with pytest.raises(DataError, match="takes int8 inputs of 16 bytes"):
        runner_for(target).run(program, ROWS[:, :3], RunLimits())


@pytest.mark.parametrize("name", LINUX_TARGETS[:1])
def test_no_inputs_have_no_answers(name: str) -> None:
    target = load(name)
    program = build_program(invoke_only("out[0] = in[0];"), target)
    assert runner_for(target).run(program, ROWS[:0], RunLimits()).outputs.shape == (0, 16)


def test_a_processor_without_the_target_s_features_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Processor("Old One", frozenset({"sse2", "fma"}), 1, "")
    monkeypatch.setattr(processor, "this_processor", lambda: old)
    monkeypatch.setattr(linux_runner.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(linux_runner.platform, "system", lambda: "Linux")
    with pytest.raises(MissingToolError, match=r"needs avx2, bmi2, which .* \(Old One\) lacks"):
        runner_for(load("linux-x86_64"))


def test_another_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_runner.platform, "machine", lambda: "riscv64")
    with pytest.raises(MissingToolError, match=r"which is .* on riscv64 and not Linux on x86-64"):
        runner_for(load("linux-x86_64"))


def test_an_absent_emulator_is_told_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="qemu-aarch64") as caught:
        runner_for(load("jetson-nano"))
    assert "qemu-user" in caught.value.hint


@pytest.mark.parametrize("_", [pytest.param("", marks=needs_x86_64)])
def test_the_features_of_this_processor_are_read(_: str) -> None:
    found = processor.this_processor()
    assert "sse2" in found.features
    assert found.count >= 1
    assert found.name
