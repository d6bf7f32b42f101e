"""The integer graph computes what the fake-quantized network computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeflow.lower.export import lower
from edgeflow.nets.registry import NETWORKS as REFERENCE_NETWORKS
from edgeflow.nets.registry import build
from edgeflow.quantize.freeze import freeze
from edgeflow.quantize.post_training import quantize_post_training
from edgeflow.quantize.trace import trace
from tests.lower.integer_runs import integer_output, parameters
from tests.lower.networks import NETWORKS, make_inputs, make_network


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_integer_graph_agrees_with_the_fake_quantized_network(name: str, seed: int) -> None:
    calibration, x = make_inputs(64, seed=seed + 10), make_inputs(64, seed=seed + 20)
    traced = trace(make_network(name, seed), calibration)
    frozen = freeze(quantize_post_training(traced, calibration, weight_bits=8))
    graph = lower(frozen, calibration.numpy())
    with torch.no_grad():
        expected = frozen(x).numpy()
    steps = np.abs(integer_output(graph, x) - expected) / parameters(graph, graph.outputs[0]).scales
    assert steps.max() <= 3.01
    assert steps.mean() <= 0.2


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_an_unquantized_module_is_lowered_close_to_its_float_output(name: str) -> None:
    network, x = make_network(name), make_inputs(64)
    graph = lower(network, x.numpy())
    with torch.no_grad():
        expected = network(x).numpy()
    difference = np.abs(integer_output(graph, x) - expected)
    assert difference.mean() <= 0.02 * np.ptp(expected)
    assert difference.max() <= 0.1 * np.ptp(expected)


@pytest.mark.parametrize("name", sorted(REFERENCE_NETWORKS))
def test_reference_networks_agree_with_their_fake_quantized_form(name: str) -> None:
    shape, outputs = ((49, 10, 1), 12) if name == "mlperf-dscnn" else ((32, 32, 3), 10)
    if name == "mlperf-autoencoder":
        shape, outputs = (1, 1, 640), 640
    inputs = torch.rand(
        24, shape[2], shape[0], shape[1], generator=torch.Generator().manual_seed(3)
    )
    traced = trace(build(name, shape, outputs, seed=0), inputs)
    frozen = freeze(quantize_post_training(traced, inputs, weight_bits=8))
    graph = lower(frozen, inputs.numpy())
    with torch.no_grad():
        expected = frozen(inputs).numpy()
    found = integer_output(graph, inputs)
    steps = np.abs(found - expected) / parameters(graph, graph.outputs[0]).scales
    assert steps.mean() <= 1.0
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.9


def test_four_bit_weights_stay_in_four_bits_and_agree() -> None:
    calibration = make_inputs(64)
    traced = trace(make_network("depthwise_relu6"), calibration)
    frozen = freeze(quantize_post_training(traced, calibration, weight_bits=4))
    graph = lower(frozen, calibration.numpy())
    weights = [t for t in graph.tensors.values() if t.name.endswith(".weights")]
    assert {t.bits for t in weights} == {4}
    assert max(int(np.abs(t.data).max()) for t in weights if t.data is not None) == 7
    with torch.no_grad():
        expected = frozen(calibration).numpy()
    scale = parameters(graph, graph.outputs[0]).scales[0]
    assert np.abs(integer_output(graph, calibration) - expected).max() <= 3.01 * scale
