from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeflow.backends.firmware.c_text import comment, integer
from edgeflow.backends.firmware.codegen import generate, memory_plan
from edgeflow.backends.firmware.compiler import run_compiler
from edgeflow.backends.firmware.kernel_set import library
from edgeflow.backends.firmware.portable_c.channelwise import folded_bias, interleaved
from edgeflow.backends.firmware.source import SourceTree
from edgeflow.errors import ModelError
from edgeflow.graph.checker import check
from edgeflow.graph.interpreter import trace
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import compile_models
from tests.exchange.tflite_graphs import every_operator

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wmissing-prototypes")


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Every operator, one output."""
    whole = every_operator()
    return replace(whole, outputs=whole.outputs[:1])


@pytest.fixture(scope="module")
def source(graph: Graph) -> SourceTree:
    return generate(graph, KernelSet.PORTABLE_C)


def _write(source: SourceTree, folder: Path) -> list[str]:
    for name, text in source.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(name for name in source.files if name.endswith(".c"))


def _renamed(graph: Graph, old: str, new: str) -> Graph:
    """The graph with a tensor and the node that writes it under another name."""

    def name(given: str) -> str:
        return new if given == old else given

    nodes = [
        Node(
            f"node of {new}" if old in node.outputs else node.name,
            node.kind,
            tuple(map(name, node.inputs)),
            tuple(map(name, node.outputs)),
            node.attributes,
        )
        for node in graph.nodes
    ]
    tensors = {name(key): replace(t, name=name(key)) for key, t in graph.tensors.items()}
    outputs = tuple(map(name, graph.outputs))
    return Graph(new, tensors, tuple(nodes), tuple(map(name, graph.inputs)), outputs)


def test_gcc_compiles_generated_c_without_a_warning(source, tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    done = subprocess.run(
        ["gcc", "-fsyntax-only", *WARNINGS, "-O2", *_write(source, tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_zig_compiles_generated_c_without_a_warning(source, tmp_path):
    names = _write(source, tmp_path)
    run_compiler(["-shared", "-fPIC", "-Werror", *WARNINGS, "-o", "model.so", *names], tmp_path)


def test_the_same_graph_gives_the_same_text(graph, source):
    again = generate(graph, KernelSet.PORTABLE_C)
    assert dict(again.files) == dict(source.files)
    assert list(again.files) == sorted(again.files)


def test_layers_are_called_once_each_in_the_order_of_the_graph(graph, source):
    model = source.files["edgeflow_model.c"]
    invoke = model[model.index("void edgeflow_invoke(void)") :]
    called = [line.strip() for line in invoke.splitlines() if line.startswith("    edgeflow_")]
    assert called == [f"{layer.symbol}();" for layer in source.layers]
    with_code = [node.name for node in graph.nodes if node.kind is not OpKind.RESHAPE]
    assert [layer.node_name for layer in source.layers] == with_code


def test_only_the_kernels_in_use_are_emitted(graph):
    first = graph.nodes[0]
    assert first.kind is OpKind.CONV_2D
    short = replace(graph, nodes=(first,), outputs=first.outputs)
    emitted = generate(short, KernelSet.PORTABLE_C).files
    assert "edgeflow_conv_2d.c" in emitted
    assert not any("softmax" in name or "pool" in name for name in emitted)


def test_weight_bytes_are_the_bytes_of_all_constant_arrays(source, tmp_path):
    if shutil.which("gcc") is None or shutil.which("size") is None:
        pytest.skip("gcc or size is not installed")
    _write(source, tmp_path)
    subprocess.run(["gcc", "-c", "edgeflow_weights.c"], cwd=tmp_path, check=True)
    report = subprocess.run(
        ["size", "-A", "edgeflow_weights.o"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (rodata,) = [line.split()[1] for line in report.splitlines() if line.startswith(".rodata")]
    # Sections pad between arrays of different alignment, never by more than 31 bytes an array.
    arrays = source.files["edgeflow_weights.h"].count("extern const")
    assert source.weight_bytes <= int(rodata) <= source.weight_bytes + 31 * arrays


@pytest.mark.parametrize(
    "name",
    [
        "x*/ int injected(void); /*",
        "line\nint injected;",
        '??/\\\n#error "quotes"',
        "\u202enaïve \x00",
        "n" * 5000,
    ],
)
def test_tensor_names_cannot_break_out_of_comments(graph, source, name, tmp_path):
    hostile = _renamed(graph, graph.nodes[2].outputs[0], name)
    check(hostile)
    generated = generate(hostile, KernelSet.PORTABLE_C)
    assert [layer.symbol for layer in generated.layers] == [s.symbol for s in source.layers]
    for text in generated.files.values():
        assert text.isascii()
        assert "injected" not in _without_comments(text)
        assert "#error" not in _without_comments(text)
        assert max(map(len, text.splitlines())) < 400
    assert _without_comments(generated.files["edgeflow_model.c"]) == _without_comments(
        source.files["edgeflow_model.c"]
    )


def _without_comments(text: str) -> str:
    parts = text.split("/*")
    return parts[0] + "".join(part.split("*/", 1)[1] for part in parts[1:])


def test_a_comment_keeps_what_is_harmless():
    assert comment("conv2d/Relu;StatefulPartitionedCall [1, 2]") == (
        "conv2d/Relu;StatefulPartitionedCall [1, 2]"
    )


def test_the_lowest_integer_has_no_literal_in_c():
    assert integer(-(2**31)) == "INT32_MIN"
    with pytest.raises(ValueError, match="does not fit"):
        integer(2**31)


def test_several_outputs_are_refused_by_name():
    with pytest.raises(ModelError, match="2 outputs"):
        generate(every_operator(), KernelSet.PORTABLE_C)


def test_several_inputs_are_refused_by_name(graph):
    constant = next(t for t in graph.tensors.values() if t.is_constant and t.data.dtype == np.int8)
    another = replace(constant, name="another", data=None)
    two = replace(
        graph,
        tensors={**graph.tensors, "another": another},
        inputs=(*graph.inputs, "another"),
    )
    with pytest.raises(ModelError, match="2 inputs"):
        generate(two, KernelSet.PORTABLE_C)


def test_the_header_states_the_interface(graph, source):
    header = source.files["edgeflow_model.h"]
    tensor = graph.tensors[graph.inputs[0]]
    assert f"#define EDGEFLOW_INPUT_BYTES {source.input_bytes}\n" in header
    assert f"#define EDGEFLOW_OUTPUT_BYTES {source.output_bytes}\n" in header
    assert f"#define EDGEFLOW_ARENA_BYTES {source.arena_bytes} " in header
    (line,) = [x for x in header.splitlines() if x.startswith("#define EDGEFLOW_INPUT_SCALE")]
    assert np.float32(line.split()[-1].rstrip("f")) == np.float32(tensor.quantization.scales[0])


def test_invoking_twice_gives_the_same_answer(graph, tmp_path):
    (model,) = compile_models([graph], tmp_path)
    rng = np.random.default_rng(3)
    shape = graph.tensors[graph.inputs[0]].shape
    first, second = (rng.integers(-128, 128, size=shape, dtype=np.int8) for _ in range(2))
    answer = model.invoke(first).copy()
    model.invoke(second)
    assert np.array_equal(model.invoke(first), answer)
    assert np.array_equal(answer, trace(graph, {graph.inputs[0]: first})[graph.outputs[0]].ravel())


def test_scratch_of_convolutions_is_part_of_the_arena(graph):
    memory = memory_plan(graph, KernelSet.PORTABLE_C)
    node = graph.nodes[0]
    wanted = library(KernelSet.PORTABLE_C).scratch_bytes(graph, node)
    assert wanted == int(np.prod(graph.tensors[node.inputs[1]].shape[1:]))
    assert memory.scratch_offset_bytes[node.name] + wanted <= memory.arena_bytes


def test_weights_interleave_by_four_and_the_rest_stays_in_rows():
    rows = np.arange(6 * 3, dtype=np.int8).reshape(6, 3)
    expected = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 13, 14, 15, 16, 17]
    assert interleaved(rows).tolist() == expected


def test_a_folded_bias_beyond_int32_wraps():
    bias = np.array([2**31 - 1, 5], np.int32)
    folded = folded_bias(bias, np.array([2, -3]), -128)
    assert folded.tolist() == [2**31 - 1 + 256 - 2**32, 5 - 384]
