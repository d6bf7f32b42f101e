"""The engine tflm without its checkouts: what is looked for, chosen, generated and refused."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.backends.firmware.compiler import CompilerError
from edgeflow.backends.tflm import compiler, glue
from edgeflow.backends.tflm.build import build_image, image_files
from edgeflow.backends.tflm.checkout import Checkout, digest, find_checkout
from edgeflow.backends.tflm.operators import OPERATORS, file_operators, kinds, registrations
from edgeflow.backends.tflm.sources import CORE_LEVEL, KERNEL_LEVEL, source_files
from edgeflow.errors import (
    ConfigError,
    EngineError,
    MissingToolError,
    UnsupportedOperatorError,
)
from edgeflow.exchange import tflite
from edgeflow.graph.ir import OpKind
from edgeflow.targets.registry import load
from tests.backends.tflm_checkouts import DOWNLOADS, FILES, MICRO, write_checkouts
from tests.exchange.tflite_edit import edited, with_float_boundary
from tests.exchange.tflite_graphs import every_operator

GRAPH = lowered(REFERENCES[0])


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return find_checkout(*write_checkouts(tmp_path))


def test_headers_of_other_projects_are_found_where_tflm_s_scripts_put_them(tmp_path: Path) -> None:
    found = find_checkout(*write_checkouts(tmp_path))
    downloads = tmp_path / "tflm" / DOWNLOADS
    assert found.headers == (
        downloads / "flatbuffers/include",
        downloads / "gemmlowp",
        downloads / "ruy",
        downloads / "cmsis/CMSIS/Core/Include",
    )


def test_named_folders_go_before_the_downloads(tmp_path: Path) -> None:
    tflm, cmsis_nn = write_checkouts(tmp_path)
    mine = tmp_path / "mine"
    (mine / "flatbuffers").mkdir(parents=True)
    (mine / "flatbuffers" / "flatbuffers.h").touch()
    headers = find_checkout(tflm, cmsis_nn, [mine]).headers
    assert headers[0] == mine
    assert tflm / DOWNLOADS / "flatbuffers/include" not in headers


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        (f"tflm/{MICRO}/micro_interpreter.h", "no checkout of TensorFlow Lite", "--tflm-path"),
        ("cmsis-nn/Include/arm_nnfunctions.h", "no checkout of CMSIS-NN", "--cmsis-nn-path"),
        *(
            (name, name.rsplit("/", 1)[1], "third_party_downloads")
            for name in FILES
            if DOWNLOADS in name
        ),
    ],
)
def test_a_missing_file_is_named_with_what_to_do(
    tmp_path: Path, name: str, said: str, hint: str
) -> None:
    folders = write_checkouts(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(EngineError) as caught:
        find_checkout(*folders)
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_a_folder_of_headers_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no folder '/nowhere'"):
        find_checkout(*write_checkouts(tmp_path), [Path("/nowhere")])


def test_the_digest_follows_sources_and_headers_and_nothing_else(tmp_path: Path) -> None:
    checkout = find_checkout(*write_checkouts(tmp_path))
    before = digest(checkout)
    (tmp_path / "tflm" / MICRO / "tools" / "unused.cc").write_text("x", encoding="utf-8")
    (tmp_path / "tflm" / MICRO / "README.md").write_text("x", encoding="utf-8")
    assert digest(checkout) == before
    for name in (
        f"tflm/{MICRO}/kernels/conv.cc",
        f"tflm/{DOWNLOADS}/flatbuffers/include/flatbuffers/flatbuffers.h",
        f"tflm/{DOWNLOADS}/cmsis/CMSIS/Core/Include/cmsis_compiler.h",
        "cmsis-nn/Source/ConvolutionFunctions/arm_convolve_s8.c",
    ):
        (tmp_path / name).write_text("// changed", encoding="utf-8")
        assert digest(checkout) != before, name
        before = digest(checkout)


def test_registrations_are_those_of_int8_kernels_where_the_headers_have_them(
    checkout: Checkout,
) -> None:
    conv, softmax, reshape = registrations(
        (OpKind.CONV_2D, OpKind.SOFTMAX, OpKind.RESHAPE), checkout
    )
    assert conv.function == "tflite::Register_CONV_2D_INT8()"
    assert conv.header == f"{MICRO}/kernels/conv.h"
    assert (softmax.add, softmax.function) == ("AddSoftmax", "")
    assert (reshape.add, reshape.function) == ("AddReshape", "")


def test_every_operator_of_the_integer_graph_has_a_name_there() -> None:
    assert set(OPERATORS) == set(OpKind)


def test_sources_are_the_core_the_wanted_kernels_and_integer_cmsis_nn(checkout: Checkout) -> None:
    files = source_files(checkout, [OpKind.CONV_2D, OpKind.RESHAPE])
    assert {file.name: file.level for file in files} == {
        f"{MICRO}/micro_interpreter.cc": CORE_LEVEL,
        f"{MICRO}/arena_allocator/single.cc": CORE_LEVEL,
        f"{MICRO}/kernels/kernel_util.cc": KERNEL_LEVEL,
        f"{MICRO}/kernels/cmsis_nn/conv.cc": KERNEL_LEVEL,
        f"{MICRO}/kernels/conv_common.cc": KERNEL_LEVEL,
        f"{MICRO}/kernels/reshape.cc": KERNEL_LEVEL,
        "Source/ConvolutionFunctions/arm_convolve_s8.c": KERNEL_LEVEL,
    }


def test_a_kernel_that_the_checkout_lacks_is_named(checkout: Checkout) -> None:
    with pytest.raises(EngineError, match=r"no kernel add\.cc"):
        source_files(checkout, [OpKind.ADD])


def test_the_resolver_has_exactly_the_operators_of_the_model(checkout: Checkout) -> None:
    text = glue.generate(tflite.write(GRAPH), GRAPH, checkout).files["edgeflow_tflm.cc"]
    wanted = {OPERATORS[kind].add for kind in kinds(file_operators(tflite.write(GRAPH)))}
    added = re.findall(r"resolver->(\w+)\(", text)
    assert sorted(added) == sorted(wanted)
    assert f"MicroMutableOpResolver<{len(wanted)}>" in text
    assert "resolver->AddConv2D(tflite::Register_CONV_2D_INT8());" in text
    assert f'#include "{MICRO}/kernels/conv.h"' in text


def test_the_model_file_is_in_the_source_byte_for_byte(checkout: Checkout) -> None:
    model = tflite.write(GRAPH)
    source = glue.generate(model, GRAPH, checkout)
    values = re.findall(r"0x([0-9a-f]{2}),", source.files["edgeflow_tflm_model.c"])
    assert bytes(int(value, 16) for value in values) == model
    assert source.weight_bytes == len(model)


def test_every_node_is_a_layer_in_its_order(checkout: Checkout) -> None:
    source = glue.generate(tflite.write(GRAPH), GRAPH, checkout)
    assert [layer.node_name for layer in source.layers] == [node.name for node in GRAPH.nodes]
    assert len({layer.symbol for layer in source.layers}) == len(GRAPH.nodes)
    assert {layer.caller for layer in source.layers} == {glue.DISPATCHER}


def test_an_operator_that_the_graph_folds_is_a_layer_too(checkout: Checkout) -> None:
    model = tflite.write(every_operator(3))
    graph = replace(tflite.read(model), outputs=("softmax",))
    layers = glue.generate(model, graph, checkout).layers
    assert len(layers) == len(file_operators(model)) > len(graph.nodes)
    nodes = {node.name for node in graph.nodes}
    folded = [layer for layer in layers if layer.node_name not in nodes]
    assert {(layer.kind, layer.size_bytes) for layer in folded} == {(OpKind.PAD, 0)}


def test_an_operator_that_is_not_known_there_is_named() -> None:
    with pytest.raises(UnsupportedOperatorError, match="does not run DEQUANTIZE"):
        file_operators(edited(tflite.write(GRAPH), with_float_boundary))


def test_the_probe_answers_in_the_place_of_the_model(checkout: Checkout) -> None:
    source = glue.with_arena(glue.generate(tflite.write(GRAPH), GRAPH, checkout), 4096)
    probe, model = glue.probe(source), glue.model(source)
    assert set(model.files) ^ set(probe.files) == {glue.API, glue.PROBE}
    assert (probe.layers, probe.output_bytes) == ((), 4)
    assert "edgeflow_arena[4096]" in model.files["edgeflow_tflm_arena.c"]
    assert model.arena_bytes == 4096
    assert (model.input_bytes, model.output_bytes) == (64, 10)


def test_an_image_has_harness_and_startup_code_and_the_c_library_s_memory_functions(
    checkout: Checkout,
) -> None:
    source = glue.generate(tflite.write(GRAPH), GRAPH, checkout)
    boot = {name for name in image_files(source, load("cortex-m4")) if name.startswith("boot/")}
    assert boot == {"boot/edgeflow_boot.h", "boot/harness.c", "boot/link.ld", "boot/startup.c"}


@pytest.mark.parametrize(
    ("target", "flags"),
    [
        ("cortex-m4", ("-mcpu=cortex-m4+nofp", "-mfloat-abi=soft")),
        ("stm32h7a3", ("-mcpu=cortex-m7+nofp", "-mfloat-abi=soft")),
        ("mps3-an547", ("-mcpu=cortex-m55", "-mfpu=auto", "-mfloat-abi=hard")),
    ],
)
def test_the_compiler_is_told_the_target_s_core(target: str, flags: tuple[str, ...]) -> None:
    assert compiler.core_flags(load(target)) == flags


def test_a_core_without_such_a_build_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"riscv32 \(RV32IMC\) has no build"):
        compiler.core_flags(load("riscv32"))


def test_an_absent_compiler_is_named_with_its_package(
    tmp_path: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = glue.model(glue.generate(tflite.write(GRAPH), GRAPH, checkout))
    with pytest.raises(MissingToolError, match=r"'arm-none-eabi-g(cc|\+\+)', which is absent") as e:
        build_image(source, (), checkout, load("cortex-m4"), tmp_path / "workshop")
    assert "apt install gcc-arm-none-eabi" in e.value.hint


@pytest.mark.skipif(shutil.which(compiler.C) is None, reason=f"{compiler.C} is absent")
def test_what_the_compiler_says_reaches_the_user(tmp_path: Path) -> None:
    (tmp_path / "wrong.c").write_text("int x = ;\n", encoding="utf-8")
    with pytest.raises(CompilerError, match="expected expression"):
        compiler.run_gcc(compiler.C, ["-c", "wrong.c"], tmp_path)
