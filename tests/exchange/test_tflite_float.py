"""The float `.tflite` form of an integer graph: the same network, without its quantization."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.exchange import onnx_plain, tflite, tflite_float
from edgeflow.exchange.tflite_float import FloatWeights
from tests.backends.ordinary_networks import ordinary_network
from tests.shared_data import shared_file

# Other seeds pool with paddings that TensorFlow Lite has not.
SEEDS = (0, 1, 2, 4, 5, 7)
MODELS = ("ic_resnet8_int8", "kws_dscnn_int8", "vww_mobilenet_int8", "ad01_int8")


def _litert(model: bytes, x: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _onnxruntime(model: bytes, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    x = x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
    (answer,) = session.run(None, {given.name: x.reshape(given.shape)})
    return answer.transpose(0, 2, 3, 1) if answer.ndim == 4 else answer


def _inputs(graph) -> np.ndarray:  # type: ignore[no-untyped-def]
    tensor = graph.tensors[graph.inputs[0]]
    q = np.random.default_rng(0).integers(-128, 128, tensor.shape)
    grid = tensor.quantization
    return ((q - grid.zero_points[0]) * grid.scales[0]).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_litert_answers_as_onnx_runtime_does_from_the_float_onnx_file(name: str) -> None:
    """Two writers and two engines, one float network."""
    graph = tflite.read(shared_file(f"mlperf_tiny/{name}.tflite").read_bytes())
    x = _inputs(graph)
    answer = _litert(tflite_float.write(graph), x)
    expected = _onnxruntime(onnx_plain.write(graph), x)
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("weight_bits", [(8,), (4, 2)])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_answer_alike_in_both_forms(
    seed: int, weight_bits: tuple[int, ...]
) -> None:
    graph = ordinary_network(seed, weight_bits=weight_bits)
    x = _inputs(graph)
    answer = _litert(tflite_float.write(graph), x)
    expected = _onnxruntime(onnx_plain.write(graph), x)
    np.testing.assert_allclose(
        answer.reshape(-1), expected.reshape(-1), rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_of_float16_take_half_the_room_and_answer_nearly_alike(seed: int) -> None:
    graph = ordinary_network(seed)
    x = _inputs(graph)
    whole, halves = (tflite_float.write(graph, weights) for weights in FloatWeights)
    weights = sum(
        tensor.data.size
        for name, tensor in graph.tensors.items()
        if tensor.data is not None and tensor.data.dtype == np.int8
    )
    assert len(whole) - len(halves) > 1.5 * weights - 4096
    answer, expected = _litert(halves, x), _litert(whole, x)
    np.testing.assert_allclose(answer, expected, rtol=0.01, atol=0.01 * np.abs(expected).max())


def test_equal_graphs_give_equal_bytes() -> None:
    for weights in FloatWeights:
        one, other = (tflite_float.write(ordinary_network(1), weights) for _ in range(2))
        assert one == other
