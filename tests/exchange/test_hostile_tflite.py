from __future__ import annotations

import random
import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange import limits
from edgeflow.exchange.tflite import read, write
from edgeflow.graph.checker import check
from edgeflow.graph.ir import NoAttributes, OpKind
from tests.exchange import tflite_edit as edit
from tests.exchange.tflite_edit import edited
from tests.exchange.tflite_graphs import GraphBuilder, every_operator, small_network
from tests.shared_data import SHARED

ORIGINAL = write(every_operator())
SMALL = write(small_network())
MUTANTS = 5000
MEMORY_BOUND_BYTES = 32 * 1024 * 1024


def set_field(name: str, value: Any) -> Callable[[Any], None]:
    """Sets one field of the tensor `conv_same`."""
    return lambda model: setattr(edit.tensor_named(model, "conv_same"), name, value)


def set_quantization(tensor: str, field: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(edit.tensor_named(model, tensor).quantization, field, value)


def set_option(output: str, field: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(edit.operator_writing(model, output).builtinOptions, field, value)


def set_inputs(output: str, inputs: list[int]) -> Callable[[Any], None]:
    return lambda model: setattr(edit.operator_writing(model, output), "inputs", inputs)


def shorten_buffer(model: Any) -> None:
    buffer = model.buffers[edit.tensor_named(model, "dense/weights").buffer]
    buffer.data = buffer.data[:-1]


def make_cycle(model: Any) -> None:
    first = edit.operator_writing(model, "conv_same")
    first.inputs = [edit.index_of(model, "softmax"), *first.inputs[1:]]


def write_twice(model: Any) -> None:
    edit.operator_writing(model, "relu").outputs = [edit.index_of(model, "sum")]


def add_subgraph(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def no_subgraph(model: Any) -> None:
    model.subgraphs = []


def rename(model: Any, name: str) -> None:
    edit.tensor_named(model, "relu").name = name


def set_paddings(values: list[int]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        buffer = edit.tensor_named(model, "padded/paddings").buffer
        model.buffers[buffer].data = np.frombuffer(np.array(values, "<i4").tobytes(), np.uint8)

    return change


HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "several subgraphs": (add_subgraph, "2 SubGraph tables, more than the 1"),
    "no subgraph": (no_subgraph, "0 subgraphs"),
    "other schema version": (lambda m: setattr(m, "version", 4), "schema version 4"),
    "buffer shorter than the shape": (shorten_buffer, "needs 320 bytes, its buffer has 319"),
    "huge shape": (set_field("shape", [1, 2**15, 2**15, 2**15]), "elements"),
    "negative size": (set_field("shape", [1, -9, 8, 4]), "at least 1"),
    "zero size": (set_field("shape", [1, 0, 8, 4]), "at least 1"),
    "too many dimensions": (set_field("shape", [1] * 9), "9 dimensions"),
    "buffer index out of range": (set_field("buffer", 10_000), "takes buffer 10000"),
    "unknown type": (set_field("type", 99), "is of type type 99"),
    "variable": (set_field("isVariable", True), "keeps its value between runs"),
    "NaN scale": (set_quantization("conv_same", "scale", [np.nan]), "scale nan"),
    "infinite scale": (set_quantization("conv_same", "scale", [np.inf]), "scale inf"),
    "zero scale": (set_quantization("conv_same", "scale", [0.0]), "scale 0"),
    "negative scale": (set_quantization("conv_same", "scale", [-0.5]), "scale -0.5"),
    "no scale": (set_quantization("conv_same", "scale", []), "0 scales instead of 1"),
    "zero point out of range": (set_quantization("conv_same", "zeroPoint", [128]), "-128 to 127"),
    "zero points missing": (set_quantization("conv_same", "zeroPoint", [1, 2]), "2 zero points"),
    "scales along no axis": (
        set_quantization("depthwise/weights", "quantizedDimension", 7),
        "16 scales along axis 7",
    ),
    "asymmetric weights": (
        set_quantization("depthwise/weights", "zeroPoint", [1] * 16),
        "zero points of weights {1}",
    ),
    "tensor index out of range": (set_inputs("relu", [9999]), "tensor 9999 of"),
    "negative tensor index": (set_inputs("relu", [-5]), "tensor -5 of"),
    "operand left out": (set_inputs("relu", [-1]), "operand 0 is missing"),
    "no operands": (set_inputs("relu", []), "0 inputs"),
    "cycle": (make_cycle, "'softmax' is read before it is computed"),
    "two writers": (write_twice, "'sum' already has a value"),
    "duplicate names": (lambda m: rename(m, "relu6"), "both named 'relu6'"),
    "control characters in a name": (lambda m: rename(m, "a\x1b[2J"), "control characters"),
    "name too long": (lambda m: rename(m, "n" * 70_000), "a name of 70000 bytes"),
    "stride 0": (set_option("conv_same", "strideH", 0), "all must be at least 1"),
    "negative dilation": (set_option("conv_same", "dilationWFactor", -1), "at least 1"),
    "dilation that pads to gigabytes": (
        set_option("conv_same", "dilationHFactor", 2**30),
        "elements a channel",
    ),
    "unknown padding": (set_option("conv_same", "padding", 5), "padding code 5"),
    "axis out of range": (set_option("concatenated", "axis", 4), "axis 4 of 4"),
    "NaN beta": (set_option("softmax", "beta", float("nan")), "beta nan"),
    "negative padding": (set_paddings([0, 0, 0, -1, 1, 1, 0, 0]), "least -1"),
    "padding that disagrees with the shape": (
        set_paddings([0, 0, 2**30, 2**30, 1, 1, 0, 0]),
        "has the shape",
    ),
    "options of another operator": (
        lambda m: (
            setattr(edit.operator_writing(m, "relu").builtinOptions or m, "x", None)
            or setattr(
                edit.operator_writing(m, "conv_same"),
                "builtinOptionsType",
                schema.BuiltinOptions.PadOptions,
            )
            or setattr(
                edit.operator_writing(m, "conv_same"), "builtinOptions", schema.PadOptionsT()
            )
        ),
        "no Conv2DOptions",
    ),
    "no inputs": (lambda m: setattr(m.subgraphs[0], "inputs", []), "read before it is computed"),
    "no outputs": (lambda m: setattr(m.subgraphs[0], "outputs", []), "1 inputs and 0 outputs"),
    "an output twice": (
        lambda m: setattr(m.subgraphs[0], "outputs", [3, 3]),
        "lists an output twice",
    ),
    "an input as output": (
        lambda m: setattr(m.subgraphs[0], "outputs", m.subgraphs[0].inputs),
        "is not the output of a node",
    ),
    "operator code out of range": (
        lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 77),
        "takes code 77",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_a_model_error_that_says_why(name: str) -> None:
    change, message = HOSTILE[name]
    with pytest.raises(ModelError) as caught:
        read(edited(ORIGINAL, change))
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 100, b"PK\3\4" * 10, ORIGINAL[:40]])
def test_what_is_no_model_is_a_model_error(data: bytes) -> None:
    with pytest.raises(ModelError):
        read(data)


def test_a_file_above_the_size_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeflow.exchange.tflite_verify.MAX_MODEL_BYTES", len(ORIGINAL) - 1)
    with pytest.raises(ModelError, match=f"has {len(ORIGINAL)} bytes"):
        read(ORIGINAL)


def test_a_table_that_contains_itself_ends() -> None:
    """Every offset in the file points back to the root table."""
    data = bytearray(ORIGINAL)
    (root,) = struct.unpack_from("<I", data, 0)
    for position in range(8, len(data) - 4, 4):
        if position // 4 % 3 == 0:
            struct.pack_into("<i", data, position, root - position)
    with pytest.raises(ModelError):
        read(bytes(data))


def shared_vector_bomb(tensors: int, scales: int) -> bytes:
    """Many tensors that all share one long scale vector and one long name: a small file."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    name = builder.CreateString("n" * 60_000)
    vector = builder.CreateNumpyVector(np.ones(scales, np.float32))
    schema.QuantizationParametersStart(builder)
    schema.QuantizationParametersAddScale(builder, vector)
    quantization = schema.QuantizationParametersEnd(builder)
    shape = builder.CreateNumpyVector(np.array([scales], np.int32))
    tables = []
    for _ in range(tensors):
        schema.TensorStart(builder)
        schema.TensorAddName(builder, name)
        schema.TensorAddShape(builder, shape)
        schema.TensorAddQuantization(builder, quantization)
        tables.append(schema.TensorEnd(builder))
    schema.SubGraphStartTensorsVector(builder, tensors)
    for table in tables:
        builder.PrependUOffsetTRelative(table)
    vector = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, vector)
    subgraph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_shared_vectors_cannot_multiply_into_gigabytes() -> None:
    bomb = shared_vector_bomb(tensors=5000, scales=50_000)  # 1.2 GB of scales when read naively
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=f"more than {limits.MAX_STRUCTURE_BYTES} bytes"):
            read(bomb)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BOUND_BYTES
    finally:
        tracemalloc.stop()


def test_shared_constants_cannot_multiply_into_gigabytes() -> None:
    def change(model: Any) -> None:
        payload = bytes(100_000)
        first = edit.add_tensor(model, "c0", [100_000], edit.INT8, (1.0, 0), payload)
        for i in range(1, 50):
            shared = edit.add_tensor(model, f"c{i}", [100_000], edit.INT8, (1.0, 0))
            tensors = model.subgraphs[0].tensors
            tensors[shared].buffer = tensors[first].buffer

    with pytest.raises(ModelError, match="constants of 50"):
        read(edited(ORIGINAL, change))


def test_a_chain_of_thousands_of_operators_is_read() -> None:
    b = GraphBuilder()
    names = [b.activation(f"t{i}", (1, 4), 0.1, 0) for i in range(3001)]
    for before, after in pairwise(names):
        b.node(OpKind.RELU, (before,), after, NoAttributes())
    graph = b.graph((names[0],), (names[-1],))
    assert len(read(write(graph)).nodes) == 3000


def test_damaged_metadata_of_ours_is_a_model_error() -> None:
    for content in (b"[" * 100_000, b"{}", b'{"schema_version":9}', b"\xff\xfe", b"null"):

        def change(model: Any, content: bytes = content) -> None:
            entry = schema.MetadataT()
            entry.name, entry.buffer = "edgeflow.graph", edit.add_buffer(model, content)
            model.metadata = [entry]

        with pytest.raises(ModelError, match="metadata of edgeflow"):
            read(edited(ORIGINAL, change))


@pytest.mark.parametrize("scale", [1e-45, 1e-38, 1e-20, 1e20, 3e38])
def test_extreme_scales_are_read_or_refused_without_a_warning(scale: float) -> None:
    names = [t.name for t in schema.ModelT.InitFromPackedBuf(ORIGINAL, 0).subgraphs[0].tensors]
    for name in (name.decode() for name in names):

        def change(model: Any, name: str = name) -> None:
            quantization = edit.tensor_named(model, name).quantization
            if quantization is not None:
                quantization.scale = np.full(len(quantization.scale), scale, np.float32)

        assert outcome(edited(ORIGINAL, change)) in ("read", "refused")


# --- mutants ---------------------------------------------------------------------------------


def refusal(data: bytes) -> ModelError | None:
    """Why the bytes are refused; None where a checked graph results. All else fails the test."""
    try:
        check(read(data))
    except ModelError as error:
        return error
    return None


def outcome(data: bytes) -> str:
    """What became of the bytes."""
    error = refusal(data)
    if error is None:
        return "read"
    assert error.message
    assert error.hint
    return "unsupported" if isinstance(error, UnsupportedOperatorError) else "refused"


INTERESTING = (0, 1, 2, 3, 127, 128, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1)


def mutant(original: bytes, chance: random.Random) -> bytes:
    """One to eight changes of one sort; half of them where the tables lie, at either end."""
    data = bytearray(original)
    ends = min(len(data), 8192)
    sort = chance.randrange(7)

    def place() -> int:
        if not data:
            return 0
        spot = chance.randrange(len(data))
        if chance.random() < 0.5:
            spot = chance.choice((spot % ends, max(len(data) - 1 - spot % ends, 0)))
        return min(spot, len(data) - 1)

    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        at, other, size = place(), place(), chance.randrange(1, 48)
        if sort == 0:
            data[at : at + 1] = bytes([(data[at] if data else 0) ^ 1 << chance.randrange(8)])
        elif sort == 1:
            data[at : at + 1] = bytes([chance.randrange(64)])
        elif sort == 2:
            at = at // 4 * 4
            data[at : at + 4] = chance.choice(INTERESTING).to_bytes(4, "little")
        elif sort == 3:
            data[at:at] = chance.randbytes(size)
        elif sort == 4:
            del data[at : at + size]
        elif sort == 5:
            data[at : at + size], data[other : other + size] = (
                data[other : other + size],
                data[at : at + size],
            )
        else:
            del data[max(at, 1) :]
    return bytes(data)


def originals() -> list[bytes]:
    """Our files most often: they are small and quick, and hold every operator."""
    found = sorted(SHARED.rglob("*_int8.tflite")) if SHARED.is_dir() else []
    return [SMALL, ORIGINAL] * 5 + [path.read_bytes() for path in found]


def test_thousands_of_mutants_are_read_or_refused_within_the_memory_bound() -> None:
    chance = random.Random(20)
    files = originals()
    outcomes: Counter[str] = Counter()
    for number in range(MUTANTS):
        data = mutant(files[number % len(files)], chance)
        if number % 50:
            outcomes[outcome(data)] += 1
            continue
        tracemalloc.start()
        outcomes[outcome(data)] += 1
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < MEMORY_BOUND_BYTES
    assert sum(outcomes.values()) == MUTANTS
    assert outcomes["refused"] > MUTANTS // 4
    assert outcomes["read"] > MUTANTS // 40


def test_mutants_that_are_read_can_be_written_and_read_again() -> None:
    chance = random.Random(21)
    rewritten = 0
    for _ in range(300):
        data = mutant(SMALL, chance)
        if refusal(data) is None:
            graph = read(data)
            assert write(read(write(graph))) == write(graph)
            rewritten += 1
    assert rewritten > 20


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(ORIGINAL) - 4), st.binary(min_size=1, max_size=8))
def test_any_bytes_anywhere_are_read_or_refused(position: int, patch: bytes) -> None:
    outcome(ORIGINAL[:position] + patch + ORIGINAL[position + len(patch) :])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(ORIGINAL) - 1))
def test_any_truncation_is_read_or_refused(length: int) -> None:
    assert outcome(ORIGINAL[:length]) == "refused"
