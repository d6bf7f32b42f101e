"""Counts by blocks equal counts of single instructions, layer by layer, on every core."""

import struct
from collections import Counter
from typing import Any

import numpy as np
import pytest

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import RunLimits
from edgeflow.devices.unicorn_mcu import UnicornMcu
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Target
from tests.backends.hand_written import INPUT_BYTES, mixed_model

CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "riscv32")


def _inputs(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(-128, 128, (count, INPUT_BYTES)).astype(np.int8)


def _it_block(image: FirmwareImage, address: int) -> list[int]:
    """The addresses of the instructions that an IT instruction at `address` makes conditional."""

    def halfword(at: int) -> int:
        return struct.unpack_from("<H", image.bin, at - image.load_address)[0]

    if halfword(address) & 0xFF00 != 0xBF00 or halfword(address) & 0xF == 0:
        return []
    mask = halfword(address) & 0xF
    addresses = [address + 2]
    for _ in range(3 - ((mask & -mask).bit_length() - 1)):
        wide = halfword(addresses[-1]) >> 11 in (0b11101, 0b11110, 0b11111)
        addresses.append(addresses[-1] + (4 if wide else 2))
    return addresses


def _core(target: Target, image: FirmwareImage) -> tuple[Any, int, int]:
    """A core before reset, the number of its link register, and the Thumb bit of its addresses."""
    import unicorn
    from unicorn import arm_const, riscv_const

    if target.core.architecture == "RV32IMC":
        uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        uc.ctl_set_cpu_model(riscv_const.UC_CPU_RISCV32_SIFIVE_E31)
        return uc, riscv_const.UC_RISCV_REG_RA, 0
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(getattr(arm_const, target.runner.cpu_model))
    uc.reg_write(arm_const.UC_ARM_REG_SP, struct.unpack_from("<I", image.bin)[0])
    return uc, arm_const.UC_ARM_REG_LR, 1


def _count_single_instructions(target: Target, image: FirmwareImage, rows: np.ndarray) -> list:
    """Every instruction by a callback of its own; who owns it follows from where calls go.

    The emulator makes no callback for an instruction of an IT block whose condition fails. The core
    executes it as a NOP, so all of an IT block count with its IT instruction.
    """
    from unicorn import unicorn_const

    uc, link, thumb = _core(target, image)
    for region in target.memory:
        uc.mem_map(region.origin, region.size_bytes)
    uc.mem_write(image.load_address, image.bin)
    invoke, main = image.symbols["edgeflow_invoke"], image.symbols["edgeflow_main"]
    entries = {image.symbols[layer.symbol].address: layer.symbol for layer in image.layers}
    owner = "outside"
    counts: Counter[str] = Counter()
    conditional: list[int] = []

    def on_instruction(uc: object, address: int, size: int, user_data: object) -> None:
        nonlocal owner
        if invoke.address <= address < invoke.address + invoke.size_bytes:
            owner = "edgeflow_invoke"
        elif main.address <= address < main.address + main.size_bytes:
            owner = "outside"
        owner = entries.get(address, owner)
        if address in conditional:
            return
        conditional[:] = _it_block(image, address) if thumb else []
        counts[owner] += 1 + len(conditional)

    uc.hook_add(unicorn_const.UC_HOOK_CODE, on_instruction)
    exchange = image.symbols["edgeflow_exchange"].address
    uc.emu_start(image.symbols["edgeflow_reset"].address | thumb, exchange)
    buffers = uc.mem_read(image.symbols["edgeflow_buffers"].address, 8)
    input_address, _ = struct.unpack("<II", buffers)
    found = []
    for row in rows:
        counts.clear()
        uc.mem_write(input_address, row.tobytes())
        uc.emu_start(uc.reg_read(link) | thumb, exchange)
        found.append({name: n for name, n in counts.items() if name != "outside"})
    return found


@pytest.mark.parametrize("name", CORES)
def test_counts_equal_a_callback_for_every_instruction(name: str) -> None:
    target = load(name)
    image = build_image(mixed_model(), target)
    rows = _inputs(4)
    expected = _count_single_instructions(target, image, rows)
    run = UnicornMcu(target).run(image, rows, RunLimits())
    for index in range(len(rows)):
        counted = {layer.symbol: int(layer.instructions[index]) for layer in run.layers}
        assert counted == expected[index]
        assert int(run.instructions[index]) == sum(expected[index].values())
    straight = run.layers[3].instructions
    assert straight.min() > 4001  # the straight code itself: blocks split, nothing lost


def test_counts_depend_on_the_input_and_repeat_exactly() -> None:
    target = load("cortex-m4")
    image = build_image(mixed_model(), target)
    rows = _inputs(5)
    first = UnicornMcu(target).run(image, rows, RunLimits())
    reversed_run = UnicornMcu(target).run(image, rows[::-1], RunLimits())
    assert len(set(first.instructions.tolist())) > 1
    assert first.instructions.tolist() == reversed_run.instructions.tolist()[::-1]


def test_an_added_instruction_is_counted() -> None:
    from tests.backends.hand_written import invoke_only

    target = load("cortex-m3")
    runs = [
        UnicornMcu(target).run(
            build_image(invoke_only(f'__asm__ volatile(".rept {n}\\n nop\\n .endr");'), target),
            _inputs(1),
            RunLimits(),
        )
        for n in (10, 11, 1500)
    ]
    assert [int(run.instructions[0]) for run in runs] == [11, 12, 1501]  # and the return
