"""Damaged and hostile ONNX files end in a clear error of ours, whatever their bytes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange import onnx_float, onnx_model, onnx_qdq
from tests.exchange.onnx_models import FloatOnnx, flattening_network, residual_network
from tests.exchange.tflite_graphs import every_operator

FLOAT = (onnx_float.read,)
READERS: tuple[Callable[[bytes], object], ...] = (onnx_float.read, onnx_qdq.read)


def survives(content: bytes) -> bool:
    """Whether both readers either read the bytes or refuse them with ModelError; True if read."""
    accepted = False
    for reader in READERS:
        try:
            reader(content)
            accepted = True
        except ModelError:
            continue
    return accepted


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    models = [residual_network(), flattening_network()]
    return [
        onnx_qdq.write(every_operator()),
        *(model.SerializeToString() for model in models),
    ]


def mutant(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:
                del data[at : at + rng.choice([1, 2, 8, 64])]
            case 3:
                data[at:at] = rng.randbytes(rng.choice([1, 4, 10]))
            case 4:
                data[at : at + 8] = data[rng.randrange(len(data)) :][:8]
            case 5:
                data[at : at + 10] = b"\xff" * 9 + b"\x01"  # the largest varint
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


@pytest.mark.timeout(90)
def test_thousands_of_mutants_raise_nothing_but_our_errors(seeds: list[bytes]) -> None:
    rng = random.Random(20)
    accepted = sum(survives(mutant(rng.choice(seeds), rng)) for _ in range(2400))
    assert 0 < accepted < 2400  # mutants get past the parser, and not all are harmless


def field_mutant(content: bytes, rng: random.Random) -> bytes:
    """A well-formed file whose fields contradict each other."""
    model = onnx.ModelProto.FromString(content)
    graph = model.graph
    node = rng.choice(graph.node)
    numbers = [-(2**63), -1, 0, 1, 2, 3, 7, 255, 65536, 2**31, 2**62]
    match rng.randrange(8):
        case 0 if node.attribute:
            attribute = rng.choice(node.attribute)
            attribute.i = rng.choice(numbers)
            for i in range(len(attribute.ints)):
                if rng.random() < 0.5:
                    attribute.ints[i] = rng.choice(numbers)
        case 1:
            node.op_type = rng.choice([other.op_type for other in graph.node] + ["Cast", "Slice"])
        case 2 if node.input:
            names = [name for other in graph.node for name in (*other.input, *other.output)]
            node.input[rng.randrange(len(node.input))] = rng.choice(names)
        case 3:
            tensor = rng.choice(graph.initializer)
            array = numpy_helper.to_array(tensor)
            if array.dtype.kind in "iu":
                limits = np.iinfo(array.dtype)
                choices = [c for c in numbers if limits.min <= c <= limits.max]
                values = [rng.choice(choices) for _ in range(array.size)]
                changed = np.array(values, array.dtype).reshape(array.shape)
            else:
                factor = rng.choice([0.0, -1.0, 1e-38, 1e-45, 1e38, np.nan, np.inf])
                with np.errstate(all="ignore"):
                    changed = (array * factor).astype(array.dtype)
            tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
        case 4:
            tensor = rng.choice(graph.initializer)
            if tensor.dims:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(numbers)
            tensor.data_type = rng.choice([tensor.data_type, *range(0, 24)])
        case 5:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[rng.randrange(len(dims))].dim_value = rng.choice(numbers)
        case 6:
            graph.node.remove(node)
        case 7:
            del node.attribute[:]
    return model.SerializeToString()


@pytest.mark.timeout(90)
def test_contradicting_fields_raise_nothing_but_our_errors(seeds: list[bytes]) -> None:
    rng = random.Random(21)
    for _ in range(1500):
        content = rng.choice(seeds)
        for _ in range(rng.choice([1, 1, 2, 3])):
            content = field_mutant(content, rng)
        survives(content)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(content: bytes) -> None:
    for reader in READERS:
        with pytest.raises(ModelError):
            reader(content)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_truncated_files_are_refused_or_read(data: st.DataObject) -> None:
    content = onnx_qdq.write(every_operator())
    survives(content[: data.draw(st.integers(0, len(content) - 1))])


def small() -> onnx.ModelProto:
    f = FloatOnnx((1, 2, 4, 4))
    return f.model(f.node("GlobalAveragePool", f.conv("x", 2, 3)), (3, 1, 1))


def refuse(
    model: onnx.ModelProto,
    match: str,
    kind: type[ModelError] = ModelError,
    readers: tuple[Callable[[bytes], object], ...] = READERS,
) -> None:
    for reader in readers:
        with pytest.raises(kind, match=match):
            reader(model.SerializeToString())


def test_external_data_is_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(np.zeros(54, np.float32).tobytes())
    model = small()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", f"../../../../../../..{secret}"
    refuse(model, "another file")


def test_functions_subgraphs_and_custom_domains_are_refused() -> None:
    model = small()
    model.functions.add().name = "f"
    refuse(model, "functions")
    model = small()
    node = model.graph.node.add(op_type="If", name="branch", input=["x"], output=["z"])
    node.attribute.append(helper.make_attribute("then_branch", onnx.GraphProto(name="g")))
    refuse(model, "branch.*If", UnsupportedOperatorError)
    model = small()
    model.graph.node.add(op_type="Evil", domain="com.evil", name="e", input=["x"], output=["z"])
    refuse(model, "com.evil", UnsupportedOperatorError)


def test_qoperator_models_are_told_the_format_to_quantize_in() -> None:
    model = small()
    model.graph.node.add(
        op_type="QLinearAdd", domain="com.microsoft", name="q", input=["x"], output=["z"]
    )
    with pytest.raises(UnsupportedOperatorError) as refused:
        onnx_qdq.read(model.SerializeToString())
    assert "QDQ" in refused.value.hint


def test_shapes_that_lie_about_their_data_are_refused_before_conversion() -> None:
    model = small()
    model.graph.initializer[0].dims[0] = 2**20
    refuse(model, "needs .* bytes")
    model = small()
    model.graph.initializer[0].dims[0] = 2**40
    refuse(model, "elements")


def test_a_padding_bomb_is_refused_by_its_figure() -> None:
    f = FloatOnnx((1, 2, 4, 4))
    amounts = f.constant(np.array([0, 0, 0, 0, 0, 0, 2**40, 2**40], np.int64))
    refuse(f.model(f.node("Pad", "x", amounts), (2, 4, 4)), "elements", readers=FLOAT)


def test_a_constant_that_grows_while_it_folds_is_refused() -> None:
    f = FloatOnnx((1, 2, 4, 4))
    shape = f.constant(np.array([2**20, 2**20], np.int64))
    grown = f.node("ConstantOfShape", shape)
    refuse(f.model(f.node("Add", "x", grown), (2, 4, 4)), "elements", readers=FLOAT)
    f = FloatOnnx((1, 2, 4, 4))
    column = f.constant(np.ones((2**14, 1), np.float32))
    grown = f.node("Add", column, f.constant(np.ones((1, 2**14), np.float32)))
    refuse(f.model(f.node("Add", "x", grown), (2, 4, 4)), "elements", readers=FLOAT)


def test_values_that_are_not_finite_are_refused() -> None:
    f = FloatOnnx((1, 2, 4, 4))
    weights = f.constant(np.full((1, 2, 1, 1), np.nan, np.float32))
    refuse(f.model(f.node("Conv", "x", weights), (1, 4, 4)), "not finite")


def test_a_clip_of_no_width_is_refused() -> None:
    f = FloatOnnx((1, 2, 4, 4))
    y = f.node("Clip", "x", f.constant(0.0), f.constant(0.0))
    refuse(f.model(y, (2, 4, 4)), "bounds", readers=FLOAT)


def test_cycles_and_double_definitions_are_refused() -> None:
    model = small()
    model.graph.node[0].input[0] = model.graph.node[1].output[0]
    refuse(model, "before anything computes it")
    model = small()
    model.graph.node[1].output[0] = model.graph.node[0].output[0]
    refuse(model, "a second time")


def test_files_larger_than_the_cap_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = small().SerializeToString()
    monkeypatch.setattr(onnx_model, "MAX_MODEL_BYTES", len(content) - 1)
    refuse(small(), f"{len(content)} bytes")


def test_a_long_chain_of_layout_operators_takes_time_in_proportion() -> None:
    f = FloatOnnx((1, 2, 4, 4))
    y = "x"
    for _ in range(3000):
        y = f.node("Transpose", y, perm=[0, 1, 3, 2])
    f.node("Sigmoid", y)
    start = time.process_time()
    survives(f.model(y, (2, 4, 4)).SerializeToString())
    assert time.process_time() - start < 20  # a quadratic reader takes minutes
