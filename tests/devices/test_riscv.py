"""RISC-V cores in both emulators: faults with place and reason, stack, alignment."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.errors import DeviceFaultError, DeviceTimeoutError
from edgeflow.targets.registry import load
from tests.backends.hand_written import INPUT_BYTES, invoke_only, mixed_model
from tests.devices.qemu import qemu_board

CORES = ("riscv32", pytest.param("riscv32-virt", marks=pytest.mark.qemu))


def _run(source: SourceTree, name: str) -> DeviceRun:
    target = qemu_board(name) if name.endswith("virt") else load(name)
    inputs = np.random.default_rng(5).integers(-128, 128, (3, INPUT_BYTES)).astype(np.int8)
    limits = RunLimits(instructions=100_000, seconds=60)
    return device_for(target).run(build_image(source, target), inputs, limits)


# Instruction, and what each emulator says: unicorn knows addresses, the core its cause.
FAULTS = {
    "null pointer": (
        "out[0] = *(volatile int8_t *)4;",
        "reading 1 bytes at 0x00000004|load outside of memory",
    ),
    "unmapped write": (
        "*(volatile int16_t *)0xC0000000 = 1;",
        "writing 2 bytes at 0xc0000000|store outside of memory",
    ),
    "undefined instruction": ('__asm__ volatile("unimp");', "undefined instruction"),
    "environment call": ('__asm__ volatile("ecall");', "environment call"),
    "breakpoint": ('__asm__ volatile("ebreak");', "breakpoint"),
}


@pytest.mark.parametrize("name", CORES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_reported_with_place_and_reason(fault: str, name: str) -> None:
    body, reason = FAULTS[fault]
    with pytest.raises(DeviceFaultError, match=reason) as caught:
        _run(invoke_only(body), name)
    assert "in edgeflow_invoke+0x" in caught.value.message


@pytest.mark.parametrize("name", CORES)
def test_program_counter_of_a_fault_is_that_of_the_instruction(name: str) -> None:
    for trap in ("unimp", "ebreak", "ecall"):
        body = f'__asm__ volatile("nop\\n nop\\n {trap}\\n nop\\n nop\\n nop");'
        with pytest.raises(DeviceFaultError, match=r"edgeflow_invoke\+0x4:"):
            _run(invoke_only(body), name)


@pytest.mark.parametrize("name", CORES)
def test_a_jump_out_of_the_code_is_a_fault(name: str) -> None:
    with pytest.raises(DeviceFaultError, match=r"0x800\w+|jumped out of its code"):
        _run(invoke_only("((void (*)(void))(in + 2))();"), name)


@pytest.mark.parametrize("name", CORES)
def test_sleep_and_endless_loops_end(name: str) -> None:
    with pytest.raises(DeviceFaultError, match="the core sleeps"):
        _run(invoke_only('__asm__ volatile("wfi");'), name)
    with pytest.raises(DeviceTimeoutError, match=r"within 100000 instructions.*edgeflow_invoke"):
        _run(invoke_only('for (;;) __asm__ volatile("");'), name)


@pytest.mark.parametrize("name", CORES)
def test_stack_overflow_is_named_with_its_size(name: str) -> None:
    deep = (
        "__attribute__((noinline)) int deep(int n) { volatile int frame[64]; frame[n & 63] = n; "
        "return n ? deep(n - 1) + frame[n & 63] : 0; }"
    )
    with pytest.raises(
        DeviceFaultError,
        match=r"stack of 4096 bytes|3[89]\d\d of 4096 bytes of stack|40\d\d of 4096 bytes of stack",
    ):
        _run(invoke_only("out[0] = (int8_t)deep(1000);", deep), name)


def test_unaligned_access_is_a_fault() -> None:
    """The architecture lets a core refuse it, so portable firmware must not need it."""
    body = "volatile uint32_t address = (uint32_t)in | 1; out[0] = *(volatile int16_t *)address;"
    with pytest.raises(DeviceFaultError, match=r"access to 2 bytes at 0x8000.* not aligned"):
        _run(invoke_only(body), "riscv32")


@pytest.mark.parametrize("name", CORES)
def test_instructions_of_two_and_four_bytes_count_once(name: str) -> None:
    for count in (10, 11, 1500):
        body = f'__asm__ volatile(".rept {count}\\n c.nop\\n addi x0, x0, 1\\n .endr");'
        run = _run(invoke_only(body), name)
        assert run.instructions.tolist() == [2 * count + 1] * 3  # and the return


def test_an_image_of_another_instruction_set_is_refused() -> None:
    target = load("riscv32")
    image = build_image(mixed_model(), load("cortex-m4"))
    with pytest.raises(DeviceFaultError, match="The image is for thumb"):
        device_for(target).run(image, np.zeros((1, INPUT_BYTES), np.int8), RunLimits())
