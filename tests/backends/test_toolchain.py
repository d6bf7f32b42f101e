"""The toolchain on hand-written models: images, figures, and what does not compile or fit."""

import os
import re
import struct
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware import compiler, toolchain
from edgeflow.backends.firmware.image import read_image
from edgeflow.backends.firmware.toolchain import build_image, firmware_files
from edgeflow.devices.device import RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.errors import (
    BundleError,
    DoesNotFitError,
    MissingToolError,
    TargetFileError,
    ToolFailedError,
)
from edgeflow.targets.registry import load
from edgeflow.targets.schema import MemoryKind, Target
from tests.backends.hand_written import INPUT_BYTES, invoke_only, mixed_model, source_tree

KIB = 1024


def _with_memory(target: Target, flash_bytes: int, ram_bytes: int) -> Target:
    sizes = {MemoryKind.FLASH: flash_bytes, MemoryKind.RAM: ram_bytes}
    memory = tuple(r.model_copy(update={"size_bytes": sizes[r.kind]}) for r in target.memory)
    return target.model_copy(update={"memory": memory})


def _table(name: str, count: int) -> str:
    """Constant bytes; volatile, so that the compiler does not compute with them."""
    return f"const volatile int8_t {name}[{count}] = {{ [0 ... {count - 1}] = 7 }};"


def test_the_image_starts_with_stack_pointer_and_reset_vector() -> None:
    image = build_image(mixed_model(), load("cortex-m4"))
    stack_top, reset = struct.unpack_from("<II", image.bin)
    assert stack_top == image.symbols["edgeflow_stack_top"].address == 0x20000000 + 4096
    assert reset == image.symbols["edgeflow_reset"].address | 1
    assert image.load_address == 0x08000000


def test_sizes_are_those_of_the_model() -> None:
    def figures(data: int, zero: int, constant: int) -> tuple[int, int]:
        model = invoke_only(
            "out[0] = data_[in[0] & 7] + zero_[in[1] & 7] + constant_[in[2] & 7]; zero_[0] = 1;"
            " data_[1] = 2;",
            f"int8_t data_[{data}] = {{ [0 ... {data - 1}] = 3 }}; int8_t zero_[{zero}];"
            + _table("constant_", constant),
        )
        image = build_image(model, load("cortex-m3"))
        return image.flash_bytes, image.ram_bytes

    base = figures(64, 64, 64)
    assert figures(64 + 1024, 64, 64) == (base[0] + 1024, base[1] + 1024)
    assert figures(64, 64 + 1024, 64) == (base[0], base[1] + 1024)
    assert figures(64, 64, 64 + 1024) == (base[0] + 1024, base[1])


def test_unused_functions_and_data_are_left_out() -> None:
    unused = _table("unused", 4096) + "void never_called(void) { out[1] = unused[in[0]]; }"
    lean = build_image(invoke_only("out[0] = in[0];"), load("cortex-m4"))
    image = build_image(invoke_only("out[0] = in[0];", unused), load("cortex-m4"))
    assert "never_called" not in image.symbols
    assert image.flash_bytes == lean.flash_bytes


def test_the_same_source_gives_the_same_bytes_wherever_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, images = load("cortex-m0plus"), []
    for folder in ("here", "a rather/different place"):
        directory = tmp_path / folder
        directory.mkdir(parents=True)
        monkeypatch.setattr(tempfile, "tempdir", str(directory))
        monkeypatch.chdir(directory)
        images.append(build_image(mixed_model(), target))
        assert list(directory.iterdir()) == []  # nothing is left behind
    assert images[0].elf == images[1].elf
    assert images[0].bin == images[1].bin
    assert os.fsencode(tmp_path) not in images[0].elf
    assert os.fsencode(Path.home()) + b"/" not in images[0].elf


def test_order_of_files_in_the_source_does_not_matter() -> None:
    source = source_tree(
        "int8_t other(int8_t); void edgeflow_invoke(void) { out[0] = other(in[0]); }",
        files={"other.c": "#include <stdint.h>\nint8_t other(int8_t x) { return x; }\n"},
    )
    shuffled = replace(source, files=dict(reversed(source.files.items())))
    target = load("cortex-m4")
    assert build_image(source, target).elf == build_image(shuffled, target).elf


def test_the_reader_gives_the_same_image_from_the_file_alone() -> None:
    image = build_image(mixed_model(), load("cortex-m7"))
    again = read_image(image.elf, image.layers, image.input_bytes, image.output_bytes)
    assert again == image


def test_damaged_elf_files_are_refused_and_never_crash_the_reader() -> None:
    elf = build_image(invoke_only("out[0] = in[0];"), load("cortex-m4")).elf
    for cut in (0, 3, 40, 60, 200, len(elf) // 2):
        with pytest.raises(BundleError):
            read_image(elf[:cut], (), 16, 16)
    generator = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(elf)
        for at in generator.integers(0, 120, 3):
            damaged[at] = generator.integers(256)
        try:
            read_image(bytes(damaged), (), 16, 16)
        except BundleError:
            continue


def test_flash_overflow_tells_needed_available_and_excess() -> None:
    source = invoke_only("out[0] = table[(uint8_t)in[0]];", _table("table", 20_000))
    needed = build_image(source, load("cortex-m4")).flash_bytes
    target = _with_memory(load("cortex-m4"), 16 * KIB, 256 * KIB)
    with pytest.raises(DoesNotFitError) as caught:
        build_image(source, target)
    assert (
        f"flash 'flash': {needed} bytes needed, {16 * KIB} available, over by {needed - 16 * KIB}"
        in caught.value.message
    )
    assert "ram 'sram'" in caught.value.message
    assert "left" in caught.value.message


def test_ram_overflow_counts_the_stack() -> None:
    source = invoke_only("big[in[0] & 7] = 1; out[0] = big[0];", "int8_t big[5000];")
    image = build_image(source, load("cortex-m4"))
    needed = image.ram_bytes + image.stack_bytes
    with pytest.raises(DoesNotFitError) as caught:
        build_image(source, _with_memory(load("cortex-m4"), 64 * KIB, 8 * KIB))
    assert f"{needed} bytes needed, {8 * KIB} available, over by {needed - 8 * KIB}" in (
        caught.value.message
    )
    fits = -(-needed // 4096) * 4096
    build_image(source, _with_memory(load("cortex-m4"), 64 * KIB, fits))


def test_a_stack_larger_than_ram_does_not_fit() -> None:
    target = load("cortex-m4")
    firmware = target.firmware.model_copy(update={"stack_bytes": 300 * KIB})
    with pytest.raises(DoesNotFitError, match=f"RAM counts {300 * KIB} bytes of stack"):
        build_image(mixed_model(), target.model_copy(update={"firmware": firmware}))


def test_both_regions_overflow_at_once() -> None:
    source = invoke_only(
        "big[in[0] & 7] = table[(uint8_t)in[0]]; out[0] = big[0];",
        "int8_t big[9000];" + _table("table", 20_000),
    )
    with pytest.raises(DoesNotFitError) as caught:
        build_image(source, _with_memory(load("cortex-m4"), 16 * KIB, 8 * KIB))
    assert len(re.findall(r"over by \d+", caught.value.message)) == 2


def test_c_that_does_not_compile_names_file_line_and_error() -> None:
    with pytest.raises(ToolFailedError, match=r"edgeflow_model\.c:\d+:\d+: error: .*nonsense"):
        build_image(invoke_only("nonsense = 3;"), load("cortex-m4"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("cpu", "nonsense"), ("cpu", "cortex_m4+no_such"), ("triple", "thumb-nowhere-eabi")],
)
def test_a_processor_that_the_compiler_does_not_know_is_an_error_of_the_target(
    key: str, value: str
) -> None:
    target = load("cortex-m4")
    chain = target.toolchain.model_copy(update={key: value})
    with pytest.raises(TargetFileError) as caught:
        build_image(mixed_model(), target.model_copy(update={"toolchain": chain}))
    assert f"toolchain.{key} = {value!r}" in caught.value.message


def test_a_missing_function_names_it() -> None:
    with pytest.raises(ToolFailedError, match="undefined symbol: somewhere_else"):
        build_image(
            invoke_only("somewhere_else();", "void somewhere_else(void);"), load("cortex-m4")
        )


def test_a_source_path_outside_its_folder_is_refused(tmp_path: Path) -> None:
    source = source_tree("void edgeflow_invoke(void) {}", files={"../outside.c": "int x;"})
    with pytest.raises(ToolFailedError, match="outside its folder"):
        build_image(source, load("cortex-m4"))


def test_a_missing_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError) as caught:
        build_image(mixed_model(), load("cortex-m4"))
    assert "ziglang" in caught.value.hint


def test_a_compiler_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "TIMEOUT_SECONDS", 0.001)
    with pytest.raises(ToolFailedError, match="did not finish"):
        build_image(mixed_model(), load("cortex-m4"))


def test_the_user_cache_follows_the_xdg_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert compiler.cache_directory() == tmp_path / "cache" / "edgeflow" / "zig"


def test_firmware_files_build_without_edgeflow(tmp_path: Path) -> None:
    """What a developer gets in the bundle is whole: compile and link it by hand."""
    target = load("cortex-m4")
    for name, text in firmware_files(mixed_model(), target).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    sources = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.c"))
    machine = ["-target", target.toolchain.triple, f"-mcpu={target.toolchain.cpu}"]
    flags = ["-O2", "-ffreestanding", "-fno-builtin", "-I.", "-Iboot"]
    script = f"-Wl,-T,{toolchain.LINKER_SCRIPT}"
    compiler.run_compiler([*machine, *flags, script, "-o", "by_hand.elf", *sources], tmp_path)
    image = read_image((tmp_path / "by_hand.elf").read_bytes(), (), INPUT_BYTES, 16)
    rows = np.arange(-32, 32, dtype=np.int8).reshape(4, INPUT_BYTES)
    ours = build_image(mixed_model(), target)
    by_hand = device_for(target).run(image, rows, RunLimits())
    assert np.array_equal(by_hand.outputs, device_for(target).run(ours, rows, RunLimits()).outputs)


MEMORY_TEST = """
#include <string.h>
static unsigned char a[40], b[40];
static int check(int from, int to, int count)
{
    for (int i = 0; i < 40; ++i) { a[i] = (unsigned char)(i + 1); b[i] = (unsigned char)(i + 1); }
    unsigned char saved[40];
    for (int i = 0; i < 40; ++i) saved[i] = a[i];
    memmove(a + to, a + from, (size_t)count);
    for (int i = 0; i < 40; ++i) {
        unsigned char expected = i >= to && i < to + count ? saved[i - to + from] : saved[i];
        if (a[i] != expected) return 0;
    }
    memset(b + to, 0x5c, (size_t)count);
    for (int i = 0; i < 40; ++i)
        if (b[i] != (i >= to && i < to + count ? 0x5c : i + 1)) return 0;
    memcpy(b + to, saved + from, (size_t)count);
    for (int i = 0; i < count; ++i)
        if (b[to + i] != saved[from + i]) return 0;
    if (memcmp(b + to, saved + from, (size_t)count) != 0) return 0;
    if (count > 0) {
        b[to + count - 1] += 1;
        if (memcmp(b + to, saved + from, (size_t)count) <= 0) return 0;
    }
    return 1;
}
void edgeflow_invoke(void)
{
    int wrong = 0;
    for (int from = 0; from < 9; ++from)
        for (int to = 0; to < 9; ++to)
            for (int count = 0; count < 23; ++count)
                wrong += !check(from, to, count);
    out[0] = wrong == 0;
    out[1] = wrong > 127 ? 127 : (signed char)wrong;
}
"""


@pytest.mark.parametrize("name", ["cortex-m0plus", "cortex-m4"])
def test_memory_functions_copy_fill_and_compare_at_any_offset(name: str) -> None:
    target = load(name)
    image = build_image(source_tree(MEMORY_TEST), target)
    run = device_for(target).run(image, np.zeros((1, INPUT_BYTES), np.int8), RunLimits())
    assert run.outputs[0, :2].tolist() == [1, 0]
