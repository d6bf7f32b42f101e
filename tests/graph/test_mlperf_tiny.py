"""The MLPerf Tiny models against LiteRT's reference kernels, from the files as published."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.exchange.tflite import read
from edgeflow.graph.checker import check
from edgeflow.graph.interpreter import trace
from edgeflow.graph.ir import DType
from tests.graph.litert import interpreter_for
from tests.shared_data import shared_file

MODELS = [
    "ic_resnet8_int8.tflite",
    "kws_dscnn_int8.tflite",
    "ad01_int8.tflite",
    "vww_mobilenet_int8.tflite",
    "sww_int8.tflite",
]


def extreme_and_random_inputs(shape: tuple[int, ...]) -> NDArray[np.int8]:
    rng = np.random.default_rng(2024)
    ends = rng.choice(np.array([-128, 127], np.int8), size=(1, *shape))
    constants = [np.full((1, *shape), value, np.int8) for value in (-128, 0, 127)]
    noise = rng.integers(-128, 128, size=(3, *shape), dtype=np.int8)
    smooth = np.clip(np.cumsum(rng.normal(0, 6, size=(1, *shape)), axis=1), -128, 127)
    return np.concatenate([ends, *constants, noise, smooth.astype(np.int8)])


@pytest.mark.parametrize("name", MODELS)
def test_published_model_matches_reference_bit_for_bit(name: str) -> None:
    model = shared_file(name).read_bytes()
    graph = read(model)
    check(graph)
    interpreter = interpreter_for(model)
    (given,) = interpreter.get_input_details()
    if given["dtype"] != np.dtype(DType.INT8.value):
        pytest.fail(f"{name} takes {given['dtype']}: this test needs the int8 input")
    x = extreme_and_random_inputs(graph.tensors[graph.inputs[0]].shape[1:])
    actual = trace(graph, {graph.inputs[0]: x})
    compared = {
        detail["index"]: detail["name"]
        for detail in interpreter.get_tensor_details()
        if detail["name"] in actual
    }
    assert set(graph.outputs) <= set(compared.values())
    assert len(compared) > len(graph.nodes) // 2
    for number, example in enumerate(x):
        interpreter.set_tensor(given["index"], example.reshape(given["shape"]))
        interpreter.invoke()
        for index, tensor in compared.items():
            expected = interpreter.get_tensor(index).reshape(-1)
            np.testing.assert_array_equal(actual[tensor][number].reshape(-1), expected, tensor)
    for tensor in graph.outputs:
        assert len(np.unique(actual[tensor])) > 2
