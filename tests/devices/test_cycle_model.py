"""Cycle estimates: exact execution counts, instructions told apart, the manual's sums."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.cycle_model import CycleEstimate, estimate_cycles
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.devices.thumb import InstructionClass, conditional_instructions, decode
from edgeflow.devices.unicorn_mcu import UnicornMcu
from edgeflow.targets.registry import load
from tests.backends.hand_written import INPUT_BYTES, invoke_only, mixed_model

LIMITS = RunLimits(seconds=60)
ROW = np.random.default_rng(3).integers(-128, 128, (1, INPUT_BYTES)).astype(np.int8)


def _asm(*lines: str) -> str:
    text = "\\n ".join(lines)
    return f'__asm__ volatile("{text}" ::: "r0", "r1", "r2", "r3", "r12", "cc", "memory");'


def _estimate(*lines: str) -> CycleEstimate:
    target = load("cortex-m4")
    image = build_image(invoke_only(_asm(*lines)), target)
    found = estimate_cycles(target, image, ROW, LIMITS)
    assert found is not None
    return found


def test_every_instruction_of_the_inference_is_in_it_once() -> None:
    target = load("cortex-m4")
    image = build_image(mixed_model(), target)
    found = estimate_cycles(target, image, ROW, LIMITS)
    run = device_for(target).run(image, ROW, LIMITS)
    assert found is not None
    assert found.instructions == int(run.instructions[0])
    assert found.instructions < found.low < found.high < 3 * found.instructions


def test_taken_branches_are_counted_apart_from_those_not_taken() -> None:
    target = load("cortex-m4")
    lines = ("movs r0, #7", "1:", "subs r0, #1", "bne 1b")
    image = build_image(invoke_only(_asm(*lines)), target)
    flow = UnicornMcu(target).flow(image, ROW, LIMITS)
    at = (image.symbols["edgeflow_invoke"].address - image.load_address) // 2
    assert flow.executions[at : at + 4].tolist() == [1, 7, 7, 1]
    assert flow.taken[at : at + 5].tolist() == [0, 0, 0, 6, 1]  # the loop, and the return


# What lies between two data operations, and the manual's cycles with their range.
SEQUENCES = {
    "data": (("adds r0, #1", "mov.w r1, #3"), 2, 2),
    "multiply": (("mul r0, r1, r2", "mla r0, r1, r2, r3", "smlad r0, r1, r2, r3"), 3, 3),
    "one load": (("ldr r0, [sp]",), 2, 3),
    "loads overlap": (("ldr r0, [sp]", "ldr r1, [sp]", "ldr r2, [sp]"), 4, 7),
    "store": (("str r0, [sp, #-8]",), 1, 3),
    "load then store": (("ldr r0, [sp]", "str r0, [sp, #-8]"), 3, 5),
    "double": (("ldrd r0, r1, [sp]",), 3, 4),
    "several": (("push {r0, r1, r2}", "pop {r0, r1, r2}"), 8, 9),
    "divide": (("sdiv r0, r1, r2",), 2, 12),
    "branch": (("b 1f", "1: b 2f", "nop", "2:"), 3, 5),  # the first leads to the next instruction
    "condition fails": (("cmp r0, r0", "it ne", "ldrne r0, [sp]"), 2, 5),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_takes_the_cycles_of_the_manual(name: str) -> None:
    lines, low, high = SEQUENCES[name]
    around = _estimate("nop", "nop")
    found = _estimate("nop", *lines, "nop")
    assert (found.low - around.low, found.high - around.high) == (low, high)


CLASSES = {
    InstructionClass.LOAD: (
        *("ldr r0, [r1]", "ldrb r0, [r1, #1]", "ldrsh r0, [r1, r2]", "ldr.w r0, [r1, #400]"),
        *("ldrb.w r0, [r1], #1", "ldrsb.w r0, [r1, #-4]", "ldr.w r0, [r1, r2, lsl #2]"),
        *("ldrh.w r0, [r1, #2]!", "ldr r0, [sp, #4]", "ldrex r0, [r1]"),
    ),
    InstructionClass.STORE_IMMEDIATE: (
        *("str r0, [r1]", "strb r0, [r1, #1]", "strh r0, [r1, #2]", "str r0, [sp, #4]"),
        *("str.w r0, [r1], #4", "strb.w r0, [r1, #-1]", "strh.w r0, [r1, #400]"),
    ),
    InstructionClass.STORE_REGISTER: ("str r0, [r1, r2]", "strb.w r0, [r1, r2, lsl #1]"),
    InstructionClass.DIVIDE: ("sdiv r0, r1, r2", "udiv r0, r1, r2"),
    InstructionClass.IF_THEN: ("it eq; moveq r0, r0", "ite ne; movne r0, r0; moveq r0, r0"),
    InstructionClass.SYSTEM: ("mrs r0, ipsr", "dsb", "isb", "cpsid i"),
    InstructionClass.TABLE_BRANCH: ("tbb [r0, r1]", "tbh [r0, r1, lsl #1]"),
    InstructionClass.OTHER: (
        *("nop", "adds r0, r1", "mov r0, r1", "cmp r0, #1", "sxtb r0, r1", "uxth.w r0, r1, ror #8"),
        *("smlad r0, r1, r2, r3", "smlal r0, r1, r2, r3", "smull r0, r1, r2, r3", "mul r0, r1, r2"),
        *("ssat r0, #8, r1", "ubfx r0, r1, #3, #4", "movw r0, #4660", "movt r0, #4660"),
        *("sxtb16 r0, r1", "sadd16 r0, r1, r2", "pkhbt r0, r1, r2, lsl #16", "add sp, #8"),
        *("bfi r0, r1, #2, #3", "clz r0, r1", "lsl.w r0, r1, r2", "add.w r0, r1, r2, lsl #3"),
        *("b 1f; 1:", "b.w 1f; 1:", "bl 1f; 1:", "beq.w 1f; 1:", "cbz r0, 1f; nop; 1:", "bx r0"),
    ),
}
MULTIPLES = {
    "push {r0, r1, lr}": 3,
    "pop {r0, r1, r2, pc}": 4,
    "ldm r0!, {r1, r2, r3}": 3,
    "stm r0!, {r1, r2}": 2,
    "push.w {r4, r5, r8, lr}": 4,
    "ldm.w r0, {r1, r2, r8}": 3,
    "stmdb r0!, {r1, r8}": 2,
    "ldrd r0, r1, [r2]": 2,
    "strd r0, r1, [r2, #-8]!": 2,
}


def _assembled(lines: list[str]) -> list[tuple[int, int]]:
    """The first two halfwords of each instruction, as the assembler makes it."""
    names = [f"at_{i}" for i in range(len(lines))]
    body = "".join(
        f'__asm__(".thumb\\n .type {n}, %function\\n .thumb_func\\n .globl {n}\\n {n}: '
        + line.replace(";", "\\n")
        + f'\\n nop\\n nop\\n nop\\n nop\\n nop\\n .size {n}, 4");\n'
        for n, line in zip(names, lines, strict=True)
    )
    kept = "".join(f"extern void {n}(void);\n" for n in names)
    table = f"void (*const kept[])(void) = {{ {', '.join(names)} }};\n"
    source = invoke_only("out[0] = (int8_t)(uint32_t)kept[in[0] & 1];", body + kept + table)
    image = build_image(source, load("cortex-m4"))
    places = [image.symbols[n].address - image.load_address for n in names]
    return [struct.unpack_from("<HH", image.bin, place) for place in places]


def test_instructions_are_told_apart_as_assembled() -> None:
    wanted = [(line, kind) for kind, lines in CLASSES.items() for line in lines]
    for (line, kind), words in zip(wanted, _assembled([w[0] for w in wanted]), strict=True):
        assert decode(*words).kind is kind, line
    for (line, count), words in zip(MULTIPLES.items(), _assembled(list(MULTIPLES)), strict=True):
        found = decode(*words)
        assert (found.kind, found.registers) == (InstructionClass.MULTIPLE, count), line


def test_length_of_an_if_then_block() -> None:
    blocks = {f"i{'t' * n} gt" + "; movgt r0, r1" * n: n for n in (1, 2, 3, 4)}
    blocks["itete eq; moveq r0, r1; movne r0, r1; moveq r0, r1; movne r0, r1"] = 4
    words = _assembled(list(blocks))
    assert [conditional_instructions(first) for first, _ in words] == list(blocks.values())


@pytest.mark.parametrize("name", ["cortex-m7", "cortex-m0plus", "riscv32"])
def test_other_cores_have_no_estimate(name: str) -> None:
    target = load(name)
    image = build_image(invoke_only("out[0] = in[0];"), target)
    assert estimate_cycles(target, image, ROW, LIMITS) is None
