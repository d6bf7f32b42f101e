"""The emulated microcontroller: answers, stack, faults and limits of real images."""

import numpy as np
import pytest

from edgeflow.backends.firmware.image import read_image
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.toolchain import build_host_library, build_image
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.host import HostDevice
from edgeflow.devices.registry import device_for
from edgeflow.errors import (
    DataError,
    DeviceFaultError,
    DeviceTimeoutError,
    EdgeflowError,
    ExitCode,
    TargetFileError,
)
from edgeflow.figures import FigureKind
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Target
from tests.backends.hand_written import INPUT_BYTES, invoke_only, mixed_model, source_tree
from tests.devices.qemu import marked_names


def _inputs(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (count, INPUT_BYTES)).astype(np.int8)


def _run(source: SourceTree, target: Target, limits: RunLimits | None = None) -> DeviceRun:
    image = build_image(source, target)
    return device_for(target).run(image, _inputs(3), limits or RunLimits())


@pytest.mark.parametrize("name", marked_names())
def test_every_target_boots_and_answers_like_the_host(name: str) -> None:
    source = mixed_model()
    run = _run(source, load(name))
    host = HostDevice().run(build_host_library(source), _inputs(3), RunLimits())
    assert np.array_equal(run.outputs, host.outputs)
    assert run.kind is FigureKind.SIMULATED
    assert load(name).core.name in run.source


def test_state_of_one_inference_does_not_reach_the_next_run() -> None:
    source = invoke_only("static int8_t calls = 7; out[0] = calls++; out[1] = in[0];")
    first, second = (_run(source, load("cortex-m4")) for _ in range(2))
    assert first.outputs[:, 0].tolist() == [7, 8, 9]  # .data was copied and survives inferences
    assert np.array_equal(first.outputs, second.outputs)


@pytest.mark.parametrize("depth", [1, 20])
def test_stack_high_water_grows_by_the_frames_of_a_recursion(depth: int) -> None:
    frame = "push {r4, r5, r6, lr}"
    recursion = (
        "__attribute__((naked, noinline)) void recurse(int n) { __asm__ volatile("
        f'"{frame}\\n subs r0, #1\\n beq 1f\\n bl recurse\\n 1: pop {{r4, r5, r6, pc}}"); }}'
    )
    shallow, deep = (
        _run(invoke_only(f"recurse({n}); out[0] = 1;", recursion), load("cortex-m4")).stack_bytes
        for n in (1, 1 + depth)
    )
    assert shallow is not None
    assert deep is not None
    assert deep - shallow == depth * 16  # four registers a call


def test_stack_high_water_of_a_leaf_is_known_to_the_byte() -> None:
    # edgeflow_reset and edgeflow_main save what they save; the difference of two leaves is exact.
    runs = [
        _run(
            invoke_only(
                f'__asm__ volatile("sub sp, #{size}\\n movs r0, #1\\n str r0, [sp]\\n '
                f'add sp, #{size}" ::: "r0", "memory");'
            ),
            load("cortex-m0plus"),
        )
        for size in (64, 264)
    ]
    stacks = [run.stack_bytes for run in runs]
    assert stacks[1] - stacks[0] == 200


FAULTS = {
    "null pointer": ("out[0] = *(volatile int8_t *)4;", "reading 1 bytes at 0x00000004"),
    "unmapped write": (
        "*(volatile int16_t *)0x60000000 = 1;",
        "writing 2 bytes at 0x60000000",
    ),
    "flash write": ("*(volatile int32_t *)0x08000000 = 1;", "writing 4 bytes at 0x08000000"),
    "beyond RAM": ("*(volatile int8_t *)0x20040000 = 1;", "writing 1 bytes at 0x20040000"),
    "undefined instruction": ('__asm__ volatile("udf #0");', "undefined instruction"),
    "code in RAM": ("((void (*)(void))(in + 1))();", "executing 2 bytes at 0x2000"),
    "wild jump": ("((void (*)(void))0x40000001)();", "it jumped out of its code"),
    "Arm state": ("((void (*)(void))0x08000000)();", "undefined instruction"),
    "supervisor call": ('__asm__ volatile("svc 0");', "supervisor call"),
    "sleep": ('__asm__ volatile("wfi");', "the core sleeps"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_reported_with_place_and_reason(fault: str) -> None:
    body, reason = FAULTS[fault]
    with pytest.raises(DeviceFaultError) as caught:
        _run(invoke_only(body), load("cortex-m4"))
    assert reason in caught.value.message
    assert caught.value.hint
    if fault in ("null pointer", "unmapped write", "undefined instruction"):
        assert "in edgeflow_invoke+0x" in caught.value.message


def test_program_counter_of_a_fault_is_that_of_the_instruction() -> None:
    body = '__asm__ volatile("nop\\n nop\\n movs r0, #0\\n ldrb r0, [r0]" ::: "r0");'
    with pytest.raises(DeviceFaultError, match=r"edgeflow_invoke\+0x6:"):
        _run(invoke_only(body), load("cortex-m4"))


UNALIGNED = "volatile uint32_t address = (uint32_t)in | 1; out[0] = *(volatile int16_t *)address;"


def test_unaligned_access_faults_where_the_architecture_has_none() -> None:
    with pytest.raises(DeviceFaultError, match=r"access to 2 bytes at 0x2000.* not aligned"):
        _run(invoke_only(UNALIGNED), load("cortex-m0plus"))
    expected = [row[1] for row in _inputs(3).tolist()]
    assert _run(invoke_only(UNALIGNED), load("cortex-m3")).outputs[:, 0].tolist() == expected


def test_stack_overflow_is_named_with_its_size() -> None:
    deep = (
        "__attribute__((noinline)) int deep(int n) { volatile int frame[64]; frame[n & 63] = n; "
        "return n ? deep(n - 1) + frame[n & 63] : 0; }"
    )
    with pytest.raises(DeviceFaultError, match="overflowed its stack of 4096 bytes"):
        _run(invoke_only("out[0] = (int8_t)deep(1000);", deep), load("cortex-m4"))


def test_a_stack_used_to_its_last_word_is_refused() -> None:
    body = (
        '__asm__ volatile("ldr r0, =edgeflow_stack_bottom\\n movs r1, #1\\n str r1, [r0]"'
        ' ::: "r0", "r1", "memory");'
    )
    with pytest.raises(DeviceFaultError, match="used all 4096 bytes"):
        _run(invoke_only(body), load("cortex-m4"))


ENDLESS = 'for (;;) __asm__ volatile("");'


def test_an_endless_loop_ends_at_the_instruction_limit() -> None:
    with pytest.raises(DeviceTimeoutError, match=r"within 100000 instructions.* edgeflow_invoke"):
        _run(invoke_only(ENDLESS), load("cortex-m4"), RunLimits(instructions=100_000))


def test_an_endless_loop_ends_at_the_wall_limit() -> None:
    with pytest.raises(DeviceTimeoutError, match=r"within 0\.5 s for the whole run"):
        _run(invoke_only(ENDLESS), load("cortex-m4"), RunLimits(instructions=2**62, seconds=0.5))


def test_the_instruction_limit_is_for_one_inference() -> None:
    source, target = mixed_model(), load("cortex-m4")
    most = int(_run(source, target).instructions.max())
    _run(source, target, RunLimits(instructions=most + 20))  # the harness adds a few of its own
    with pytest.raises(DeviceTimeoutError):
        _run(source, target, RunLimits(instructions=most - 1))


def test_a_layer_that_is_not_called_once_is_an_error() -> None:
    code = (
        "__attribute__((noinline)) void layer_a(void) { out[0] = in[0]; }\n"
        "void edgeflow_invoke(void) { layer_a(); layer_a(); }"
    )
    with pytest.raises(DeviceFaultError, match="called 2 times in one inference"):
        _run(source_tree(code, ("layer_a",)), load("cortex-m4"))


@pytest.mark.parametrize(
    "inputs",
    [
        np.zeros((2, INPUT_BYTES + 1), np.int8),
        np.zeros((2, INPUT_BYTES), np.uint8),
        np.zeros(INPUT_BYTES, np.int8),
    ],
    ids=["size", "type", "no rows"],
)
def test_wrong_inputs_are_refused(inputs: np.ndarray) -> None:
    target = load("cortex-m4")
    image = build_image(invoke_only("out[0] = in[0];"), target)
    with pytest.raises(DataError, match="int8 inputs of 16 bytes"):
        device_for(target).run(image, inputs, RunLimits())


def test_no_inputs_give_no_outputs() -> None:
    target = load("cortex-m4")
    image = build_image(invoke_only("out[0] = in[0];"), target)
    run = device_for(target).run(image, np.zeros((0, 4, 4, 1), np.int8), RunLimits())
    assert run.outputs.shape == (0, 16)
    assert run.instructions.shape == (0,)


def test_an_image_for_another_memory_map_is_refused() -> None:
    image = build_image(invoke_only("out[0] = in[0];"), load("cortex-m7"))
    target = load("cortex-m7")
    moved = tuple(
        region.model_copy(update={"origin": 0x10000000}) if region.name == "flash" else region
        for region in target.memory
    )
    other = target.model_copy(update={"memory": moved})
    with pytest.raises(DeviceFaultError, match="outside of the flash"):
        device_for(other).run(image, _inputs(1), RunLimits())


def test_an_unknown_processor_model_is_refused_with_those_that_exist() -> None:
    target = load("cortex-m4")
    runner = target.runner.model_copy(update={"cpu_model": "UC_CPU_ARM_CORTEX_M99"})
    image = build_image(invoke_only("out[0] = in[0];"), target)
    with pytest.raises(TargetFileError) as caught:
        device_for(target.model_copy(update={"runner": runner})).run(image, _inputs(1), RunLimits())
    assert "UC_CPU_ARM_CORTEX_M4" in caught.value.hint


def test_damaged_images_end_in_an_error_of_the_tree() -> None:
    """Whatever an altered file claims: an answer or a clear error, never a crash."""
    target = load("cortex-m4")
    image = build_image(mixed_model(), target)
    start = image.elf.index(image.bin[:64])  # headers before, content and tables after
    generator = np.random.default_rng(11)
    exit_codes = []
    for round_number in range(60):
        damaged = bytearray(image.elf)
        span = (24, start) if round_number % 3 == 0 else (start, len(damaged))
        for at in generator.integers(*span, 40):
            damaged[at] = generator.integers(256)
        try:
            altered = read_image(bytes(damaged), image.layers, INPUT_BYTES, 16)
            device_for(target).run(altered, _inputs(2), RunLimits(instructions=200_000))
        except EdgeflowError as error:
            exit_codes.append(error.exit_code)
    assert len(exit_codes) > 20
    assert set(exit_codes) <= {ExitCode.BAD_INPUT, ExitCode.DEVICE}
