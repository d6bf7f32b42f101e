"""Boards in QEMU: answers, stack, faults and limits of real images."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.toolchain import build_host_library, build_image
from edgeflow.devices import qemu_mcu
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.host import HostDevice
from edgeflow.devices.qemu_mcu import QemuMcu
from edgeflow.devices.registry import device_for
from edgeflow.errors import (
    DataError,
    DeviceFaultError,
    DeviceTimeoutError,
    MissingToolError,
    TargetFileError,
    ToolFailedError,
)
from edgeflow.exchange.tflite import read
from edgeflow.figures import FigureKind
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.targets.registry import load, load_file
from edgeflow.targets.schema import Target
from tests.backends.hand_written import INPUT_BYTES, invoke_only, mixed_model, source_tree
from tests.devices.qemu import BOARDS, qemu_board
from tests.shared_data import shared_file

pytestmark = pytest.mark.qemu

LIMITS = RunLimits(seconds=60)


def _inputs(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (count, INPUT_BYTES)).astype(np.int8)


def _run(source: SourceTree, target: Target, limits: RunLimits = LIMITS) -> DeviceRun:
    return device_for(target).run(build_image(source, target), _inputs(3), limits)


@pytest.fixture
def board() -> Target:
    return qemu_board("mps2-an386")


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_boots_and_answers_like_the_host(name: str) -> None:
    source, target = mixed_model(), qemu_board(name)
    run = _run(source, target)
    host = HostDevice().run(build_host_library(source), _inputs(3), RunLimits())
    assert np.array_equal(run.outputs, host.outputs)
    assert run.kind is FigureKind.SIMULATED
    assert target.core.name in run.source
    assert "QEMU" in run.source
    assert target.runner.machine in run.source


def test_state_of_one_inference_does_not_reach_the_next_run(board: Target) -> None:
    source = invoke_only("static int8_t calls = 7; out[0] = calls++; out[1] = in[0];")
    first, second = (_run(source, board) for _ in range(2))
    assert first.outputs[:, 0].tolist() == [7, 8, 9]  # .data was copied and survives inferences
    assert np.array_equal(first.outputs, second.outputs)


def test_an_added_instruction_is_counted(board: Target) -> None:
    runs = [
        _run(invoke_only(f'__asm__ volatile(".rept {n}\\n nop\\n .endr");'), board)
        for n in (10, 11, 1500)
    ]
    assert [run.instructions.tolist() for run in runs] == [[n] * 3 for n in (11, 12, 1501)]


def test_instructions_whose_condition_fails_count(board: Target) -> None:
    body = (
        '__asm__ volatile("movs r0, #0\\n cmp r0, #0\\n itet ne\\n movne r0, #1\\n moveq r0, #2\\n'
        ' movne r0, #3" ::: "r0", "cc");'
    )
    assert _run(invoke_only(body), board).instructions.tolist() == [7, 7, 7]  # and the return


def test_low_overhead_loops_of_a_cortex_m55_count_every_iteration() -> None:
    loop = "push {lr}\\n movs r0, #5\\n dls lr, r0\\n 1: nop\\n le lr, 1b\\n pop.w {lr}"
    run = _run(invoke_only(f'__asm__ volatile("{loop}" ::: "r0");'), qemu_board("mps3-an547"))
    assert run.instructions.tolist() == [3 + 5 * 2 + 1 + 1] * 3  # and the return


@pytest.mark.parametrize("model", ["kws_dscnn_int8.tflite", "ic_resnet8_int8.tflite"])
def test_published_models_are_bit_exact_on_a_cortex_m55(model: str) -> None:
    board = qemu_board("mps3-an547")
    graph = canonicalize(read(shared_file(model).read_bytes()))
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    inputs = np.random.default_rng(7).integers(-128, 128, (2, *shape), dtype=np.int8)
    image = build_image(generate(graph, board.firmware.kernel_set), board)
    run = device_for(board).run(image, inputs, LIMITS)
    assert np.array_equal(run.outputs, run_batch(graph, inputs).reshape(2, -1))


FAULTS = {
    "unmapped write": (
        "*(volatile int16_t *)0x90000000 = 1;",
        r"faulted at 0x\w+ in edgeflow_invoke\+0x\w+: HardFault",
    ),
    "far beyond RAM": ("*(volatile int8_t *)0x24000000 = 1;", "edgeflow_invoke.*HardFault"),
    "undefined instruction": ('__asm__ volatile("udf #0");', "edgeflow_invoke.*HardFault"),
    "code in RAM": ("((void (*)(void))(in + 1))();", "jumped out of its code, to 0x2100"),
    "wild jump": ("((void (*)(void))0x90000001)();", "HardFault"),
    "Arm state": ("void (*volatile f)(void) = (void (*)(void))0x100; f();", "HardFault"),
    "supervisor call": ('__asm__ volatile("svc 0");', "edgeflow_invoke.*supervisor call"),
    "sleep": ('__asm__ volatile("wfi");', "in edgeflow_invoke.*the core sleeps"),
    "halt": ("extern void edgeflow_halt(void); edgeflow_halt();", "halted at .*edgeflow_halt"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_reported_with_place_and_reason(fault: str, board: Target) -> None:
    body, reason = FAULTS[fault]
    with pytest.raises(DeviceFaultError, match=reason) as caught:
        _run(invoke_only(body), board)
    assert caught.value.hint


def test_program_counter_of_a_fault_is_that_of_the_instruction(board: Target) -> None:
    body = '__asm__ volatile("nop\\n nop\\n mov.w r0, #0x90000000\\n ldrb r0, [r0]" ::: "r0");'
    with pytest.raises(DeviceFaultError, match=r"edgeflow_invoke\+0x8:"):
        _run(invoke_only(body), board)


def test_stack_overflow_is_named_with_its_size(board: Target) -> None:
    deep = (
        "__attribute__((noinline)) int deep(int n) { volatile int frame[64]; frame[n & 63] = n; "
        "return n ? deep(n - 1) + frame[n & 63] : 0; }"
    )
    with pytest.raises(DeviceFaultError, match="all 4096 bytes of its stack"):
        _run(invoke_only("out[0] = (int8_t)deep(1000);", deep), board)


def test_a_stack_used_to_its_last_word_is_refused(board: Target) -> None:
    body = (
        '__asm__ volatile("ldr r0, =edgeflow_stack_bottom\\n movs r1, #1\\n str r1, [r0]"'
        ' ::: "r0", "r1", "memory");'
    )
    with pytest.raises(DeviceFaultError, match="used all 4096 bytes"):
        _run(invoke_only(body), board)


ENDLESS = 'for (;;) __asm__ volatile("");'


def test_an_endless_loop_ends_at_the_instruction_limit(board: Target) -> None:
    with pytest.raises(DeviceTimeoutError, match=r"within 100000 instructions.* edgeflow_invoke"):
        _run(invoke_only(ENDLESS), board, RunLimits(instructions=100_000))


def test_an_endless_loop_ends_at_the_wall_limit(board: Target) -> None:
    limits = RunLimits(instructions=2**62, seconds=1.0)
    with pytest.raises(DeviceTimeoutError, match=r"within 1 s for the whole.* edgeflow_invoke"):
        _run(invoke_only(ENDLESS), board, limits)


def test_the_instruction_limit_is_for_one_inference(board: Target) -> None:
    source = mixed_model()
    most = int(_run(source, board).instructions.max())
    _run(source, board, RunLimits(instructions=most + 20))  # the harness adds a few of its own
    with pytest.raises(DeviceTimeoutError):
        _run(source, board, RunLimits(instructions=most - 1))


def test_a_layer_that_is_not_called_once_is_an_error(board: Target) -> None:
    code = (
        "__attribute__((noinline)) void layer_a(void) { out[0] = in[0]; }\n"
        "void edgeflow_invoke(void) { layer_a(); layer_a(); }"
    )
    with pytest.raises(DeviceFaultError, match="called 2 times in one inference"):
        _run(source_tree(code, ("layer_a",)), board)


def test_wrong_inputs_are_refused_and_none_give_no_outputs(board: Target) -> None:
    image = build_image(invoke_only("out[0] = in[0];"), board)
    with pytest.raises(DataError, match="int8 inputs of 16 bytes"):
        QemuMcu(board).run(image, np.zeros((2, 17), np.int8), RunLimits())
    run = QemuMcu(board).run(image, np.zeros((0, 4, 4, 1), np.int8), RunLimits())
    assert run.outputs.shape == (0, 16)
    assert run.instructions.shape == (0,)


def test_an_image_for_another_memory_map_is_refused(board: Target) -> None:
    image = build_image(invoke_only("out[0] = in[0];"), load("cortex-m4"))
    with pytest.raises(DeviceFaultError, match="outside of the flash"):
        QemuMcu(board).run(image, _inputs(1), RunLimits())


def test_a_plugin_of_another_version_is_built_again_as_the_emulator_asks(
    board: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _run(mixed_model(), board)
    for version in (0, 1000):
        monkeypatch.setattr(qemu_mcu, "FIRST_API_VERSION", version)
        assert np.array_equal(_run(mixed_model(), board).instructions, expected.instructions)


def test_a_board_that_the_emulator_does_not_know_is_told_in_its_words(board: Target) -> None:
    runner = board.runner.model_copy(update={"machine": "no-such-board"})
    with pytest.raises(ToolFailedError, match="no-such-board"):
        _run(invoke_only("out[0] = 1;"), board.model_copy(update={"runner": runner}))


def test_an_absent_emulator_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    target = load("mps2-an386")
    image = build_image(invoke_only("out[0] = in[0];"), target)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingToolError) as caught:
        device_for(target).run(image, _inputs(1), RunLimits())
    assert "apt install qemu-system-arm" in caught.value.hint


def test_a_board_needs_the_name_of_its_machine(tmp_path) -> None:
    path = tmp_path / "nameless.toml"
    path.write_text(
        'extends = "cortex-m4"\nname = "nameless"\ndescription = "x"\n[runner]\nkind = "qemu"\n'
    )
    with pytest.raises(TargetFileError, match="machine"):
        load_file(path)
