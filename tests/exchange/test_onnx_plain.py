"""The float form of an integer graph: the same network, without its quantization."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.exchange import onnx_plain, onnx_qdq, tflite
from tests.backends.ordinary_networks import ordinary_network
from tests.shared_data import shared_file


def _answers(model: bytes, x: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return session.run(None, {given.name: x.reshape(given.shape)})[0]


def test_it_differs_from_the_quantized_network_by_quantization_alone() -> None:
    graph = tflite.read(shared_file("mlperf_tiny/kws_dscnn_int8.tflite").read_bytes())
    x = np.random.default_rng(0).integers(-100, 100, (1, 1, 49, 10)).astype(np.float32) * 0.5
    plain, quantized = (_answers(form.write(graph), x) for form in (onnx_plain, onnx_qdq))
    assert not np.array_equal(plain, quantized)
    assert np.abs(plain - quantized).max() < 0.1


@pytest.mark.parametrize("weight_bits", [(8,), (4, 2)])
@pytest.mark.parametrize("seed", range(6))
def test_it_has_no_quantization_and_an_opset_that_old_engines_read(
    seed: int, weight_bits: tuple[int, ...]
) -> None:
    import onnx

    model = onnx_plain.write(ordinary_network(seed, weight_bits=weight_bits))
    document = onnx.load_from_string(model)
    assert [each.version for each in document.opset_import] == [onnx_plain.OPSET]
    assert not {node.op_type for node in document.graph.node} & {
        "QuantizeLinear",
        "DequantizeLinear",
    }
    shape = [each.dim_value for each in document.graph.input[0].type.tensor_type.shape.dim]
    assert np.isfinite(_answers(model, np.ones(shape, np.float32))).all()


def test_equal_graphs_give_equal_bytes() -> None:
    one, other = (onnx_plain.write(ordinary_network(3)) for _ in range(2))
    assert one == other
