"""Targets by name and by file: what is shipped, how boards extend cores, what is refused."""

import os
from pathlib import Path

import pytest

from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.errors import TargetFileError, UnknownNameError
from edgeflow.graph.ir import OpKind
from edgeflow.targets.registry import (
    SEARCH_PATH_VARIABLE,
    directories,
    load,
    load_file,
    names,
    validate,
)
from edgeflow.targets.schema import MemoryKind, Target, TargetFamily

SHIPPED = (
    "catapult",
    "cortex-m0plus",
    "cortex-m3",
    "cortex-m33",
    "cortex-m4",
    "cortex-m55",
    "cortex-m7",
    "cortex-m85",
    "cuda",
    "ecp5-25k",
    "ecp5-45k",
    "ecp5-85k",
    "esp32c3",
    "ice40-up5k",
    "icebreaker",
    "jetson-nano",
    "jetson-orin-nano",
    "linux-x86_64",
    "mps2-an386",
    "mps2-an500",
    "mps3-an547",
    "quartus",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "riscv32",
    "riscv32-virt",
    "stm32h7a3",
    "stm32l4r5",
    "ulx3s-85f",
    "ulx3s-85f-spi",
    "vitis-hls",
)

NOT_ON_FPGAS = {OpKind.MUL, OpKind.PAD, OpKind.CONCATENATION}

BOARD = """
extends = "cortex-m4"
name = "my-board"
description = "A board of mine"
memory = [
    { name = "flash", kind = "flash", origin = 0x08000000, size_bytes = 0x20000 },
    { name = "sram", kind = "ram", origin = 0x20000000, size_bytes = 0x8000 },
]

[core]
clock_hz = 64_000_000
"""


def _file(directory: Path, name: str, text: str) -> Path:
    path = directory / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def user_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the registry searches before its own."""
    monkeypatch.setenv(SEARCH_PATH_VARIABLE, os.pathsep.join(["", str(tmp_path), "/nowhere"]))
    return tmp_path


def test_the_shipped_targets_are_all_there() -> None:
    assert names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_target_is_whole_and_says_where_its_data_is_from(name: str) -> None:
    target = load(name)
    assert target.name == name
    lacking: set[OpKind] = set()
    if target.family in (TargetFamily.FPGA, TargetFamily.HLS):
        lacking = NOT_ON_FPGAS
    if target.family is TargetFamily.HLS:
        lacking = lacking | {OpKind.LOGISTIC}
    assert {operator.kind for operator in target.operators} == set(OpKind) - lacking
    weighted = {OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED}
    widths = (8, 7, 6, 5, 4, 3, 2) if lacking else (8, 4, 2)
    for operator in target.operators:
        assert operator.activation_bits == (8,)
        assert operator.weight_bits == (widths if operator.kind in weighted else (8,))
    assert target.sources


def test_the_jetson_nano_has_what_its_jetpack_has() -> None:
    nano = load("jetson-nano")
    assert nano.linux is not None
    assert nano.gpu is not None
    assert nano.linux.glibc_version == (2, 27)
    assert nano.linux.python == "3.6"
    assert (nano.gpu.architecture, nano.gpu.fp16, nano.gpu.int8) == ("sm_53", True, False)
    assert (nano.gpu.cuda, nano.gpu.tensorrt, nano.gpu.onnx_opset) == ("10.2", "8.2", 13)
    assert nano.gpu.shares_memory
    assert nano.region(MemoryKind.RAM).size_bytes == 4 << 30


def test_fpgas_have_what_their_datasheets_say() -> None:
    blocks = {"ecp5-25k": 56, "ecp5-45k": 108, "ecp5-85k": 208}
    for name, count in blocks.items():
        target = load(name)
        assert target.region(MemoryKind.RAM).size_bytes == count * 18 * 1024 // 8
        assert target.fpga is not None
        assert target.fpga.device == name.removeprefix("ecp5-")
    assert load("ice40-up5k").region(MemoryKind.RAM).size_bytes == 30 * 4096 // 8


def test_lanes_that_address_no_whole_words_are_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text(
        'extends = "ecp5-25k"\nname = "odd"\n[fpga]\nlanes = 12\n', encoding="utf-8"
    )
    with pytest.raises(TargetFileError, match="power of two"):
        load(str(tmp_path / "odd.toml"))


def test_boards_have_the_memory_and_clock_of_their_datasheets() -> None:
    l4r5, h7a3 = load("stm32l4r5"), load("stm32h7a3")
    assert (l4r5.core.name, l4r5.core.clock_hz) == ("Cortex-M4", 120_000_000)
    assert l4r5.region(MemoryKind.FLASH).size_bytes == 2 << 20
    assert l4r5.region(MemoryKind.RAM).size_bytes == 640 << 10
    assert (h7a3.core.name, h7a3.core.clock_hz) == ("Cortex-M7", 280_000_000)
    assert h7a3.region(MemoryKind.RAM).origin == 0x24000000
    assert h7a3.region(MemoryKind.RAM).size_bytes == 1 << 20


def test_a_board_states_only_what_differs(user_directory: Path) -> None:
    _file(user_directory, "my-board", BOARD)
    board, core = load("my-board"), load("cortex-m4")
    assert board.core == core.core.model_copy(update={"clock_hz": 64_000_000})
    assert board.toolchain == core.toolchain
    assert board.operators == core.operators
    assert [region.size_bytes for region in board.memory] == [0x20000, 0x8000]  # lists replace


def test_adding_a_board_is_one_file(user_directory: Path) -> None:
    """From the file alone: listed, built for, and run on its own memory map."""
    import numpy as np

    from tests.backends.hand_written import INPUT_BYTES, invoke_only

    _file(user_directory, "my-board", BOARD)
    assert "my-board" in names()
    target = load("my-board")
    image = build_image(invoke_only("out[0] = in[0];"), target)
    rows = np.full((2, INPUT_BYTES), 42, dtype=np.int8)
    run = device_for(target).run(image, rows, RunLimits())
    assert run.outputs[:, 0].tolist() == [42, 42]


def test_a_path_to_a_file_is_a_target_name(tmp_path: Path) -> None:
    path = _file(tmp_path, "my-board", BOARD)
    assert load(str(path)) == load_file(path) == validate(path)


def test_a_board_may_extend_a_file_beside_it(tmp_path: Path) -> None:
    _file(tmp_path, "my-board", BOARD)
    path = _file(
        tmp_path, "faster", 'extends = "my-board"\nname = "faster"\n[core]\nclock_hz = 80_000_000\n'
    )
    assert load_file(path).core.clock_hz == 80_000_000
    assert load_file(path).memory == load_file(tmp_path / "my-board.toml").memory


def test_a_user_directory_comes_before_the_shipped_targets(user_directory: Path) -> None:
    _file(user_directory, "cortex-m3", BOARD.replace('"my-board"', '"cortex-m3"'))
    assert load("cortex-m3").core.clock_hz == 64_000_000
    assert names().count("cortex-m3") == 1


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load("cortex-m44")
    assert "'cortex-m44'" in caught.value.message
    assert caught.value.hint.startswith("Did you mean cortex-m4")
    assert "stm32l4r5" in caught.value.hint


@pytest.mark.parametrize("name", ["", "_cortex-m", "../targets/cortex-m4", "zzz"])
def test_what_is_no_name_is_unknown(name: str) -> None:
    with pytest.raises(UnknownNameError):
        load(name)


INVALID = {
    "pins of another link": (
        'extends = "ulx3s-85f"\nname = "my-board"\n[fpga.board]\nlink = "spi"\n',
        "fpga.board: pins: link 'spi' has cs_n, led, miso, mosi, oscillator, sck",
    ),
    "a project for a microcontroller": (
        BOARD + '[hls]\ncompiler = "Vitis"\ndevice = "xc7"\nprograms = ["vitis-run"]\n',
        "hls: is for family = 'hls', which needs it",
    ),
    "unknown key": (
        BOARD + "speed = 3\n",
        "core.speed: there is no such key; allowed here: name, architecture, count, clock_hz",
    ),
    "unknown table": (BOARD + "[radio]\nband = 1\n", "radio: there is no such key; allowed here:"),
    "wrong type": (
        BOARD.replace("64_000_000", '"fast"'),
        "core.clock_hz: should be a valid integer, unable to parse string as an integer "
        "(it is 'fast')",
    ),
    "out of range": (
        BOARD.replace("64_000_000", "0"),
        "core.clock_hz: should be greater than 0 (it is 0)",
    ),
    "unknown choice": (
        BOARD.replace('kind = "ram"', 'kind = "rom"'),
        "memory[1].kind: should be 'flash' or 'ram' (it is 'rom')",
    ),
    "unknown operator": (
        BOARD.replace("[core]", 'operators = [{ kind = "CONV_3D" }]\n[core]'),
        "operators[0].kind: should be 'CONV_2D', 'DEPTHWISE_CONV_2D'",
    ),
    "a system without an operating system": (
        BOARD.replace('name = "my-board"', 'name = "my-board"\nfamily = "linux"'),
        "linux: is for family = 'linux', which needs it",
    ),
    "an operating system on a microcontroller": (
        BOARD + '[linux]\ndistribution = "any"\nglibc = "2.27"\n',
        "linux: is for family = 'linux', which needs it",
    ),
    "a runner of the other family": (
        BOARD + '[runner]\nkind = "host"\n',
        "runner.kind: family 'microcontroller' runs in unicorn or qemu",
    ),
    "an emulator of no processor": (
        BOARD + '[runner]\ncpu_model = ""\n',
        "cpu_model: an emulator needs the processor that it shall be",
    ),
    "memory beyond addresses": (
        BOARD.replace("size_bytes = 0x8000", "size_bytes = 0x100000000"),
        "memory: region 'sram' ends beyond 32-bit addresses",
    ),
    "overlap": (
        BOARD.replace("0x20000000", "0x08000100"),
        "memory: regions 'flash' and 'sram' overlap",
    ),
    "no RAM": (BOARD.replace('kind = "ram"', 'kind = "flash"'), "memory: no region of kind 'ram'"),
    "missing": (
        BOARD.replace('extends = "cortex-m4"', 'extends = "_cortex-m"'),
        "toolchain.cpu: is missing",
    ),
    "other version": (
        "schema_version = 2\n" + BOARD,
        "schema_version: should be 1 (it is 2)",
    ),
    "other name": (BOARD.replace('"my-board"', '"your-board"'), "name: is 'your-board'"),
    "no TOML": ("name = ", "no valid TOML"),
    "no such base": (
        BOARD.replace('"cortex-m4"', '"cortex-m5"'),
        "extends: there is no target 'cortex-m5'",
    ),
    "base of a wrong type": (BOARD.replace('"cortex-m4"', "4"), "extends: there is no target 4"),
    "table that is none": ("toolchain = 3\n" + BOARD, "toolchain: "),
}


@pytest.mark.parametrize("fault", INVALID)
def test_an_invalid_file_names_file_key_and_what_is_allowed(fault: str, tmp_path: Path) -> None:
    text, message = INVALID[fault]
    path = _file(tmp_path, "my-board", text)
    with pytest.raises(TargetFileError) as caught:
        validate(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = BOARD.replace("64_000_000", "-1").replace("0x8000 }", "0 }") + "speed = 3\n"
    with pytest.raises(TargetFileError) as caught:
        validate(_file(tmp_path, "my-board", text))
    assert len(caught.value.message.splitlines()) == 4


def test_a_base_is_told_from_a_target_with_missing_keys() -> None:
    with pytest.raises(TargetFileError, match="base that other targets extend"):
        validate(directories()[-1] / "_cortex-m.toml")


def test_files_that_extend_one_another_are_refused(tmp_path: Path) -> None:
    _file(tmp_path, "one", 'extends = "two"\nname = "one"\n')
    path = _file(tmp_path, "two", 'extends = "one"\nname = "two"\n')
    with pytest.raises(TargetFileError, match="two -> one -> two"):
        validate(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x = " + b"[" * 5000], ids=["bytes", "deep"])
def test_hostile_content_is_an_error_of_the_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "my-board.toml"
    path.write_bytes(content)
    with pytest.raises(TargetFileError, match="no valid TOML"):
        validate(path)


def test_a_missing_or_huge_file_is_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(TargetFileError, match="cannot be read"):
        load(str(tmp_path / "absent.toml"))
    with pytest.raises(TargetFileError, match="cannot be read"):
        load_file(tmp_path)
    path = _file(tmp_path, "huge", "#" * (1 << 21))
    with pytest.raises(TargetFileError, match="larger than"):
        validate(path)


def test_targets_are_frozen_values() -> None:
    target: Target = load("cortex-m4")
    with pytest.raises(ValueError, match="frozen"):
        target.name = "other"  # type: ignore[misc]
    assert target == load("cortex-m4")
