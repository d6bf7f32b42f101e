"""From scanned digits to the integer graph: accuracy survives every stage."""

from __future__ import annotations

import numpy as np
import torch

from edgeflow.data.dataset import prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.lower.export import lower
from edgeflow.nets.layout import network_input
from edgeflow.nets.registry import build
from edgeflow.quantize.flow import quantize
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.train.evaluate import accuracy
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions
from tests.lower.integer_runs import integer_output


def test_float_post_training_fine_tuned_and_integer_accuracy_are_within_a_point() -> None:
    dataset = load(DataOptions(source="digits"))
    network = build("small", dataset.input_shape_hwc, 10, seed=0)
    trained = fit(network, dataset, TrainOptions(epochs=20, threads=1)).network
    options = QuantizeOptions(epochs=3, threads=1)
    quantized = quantize(trained, dataset, options)
    assert quantized.float_score >= 0.95
    assert abs(quantized.post_training_score - quantized.float_score) <= 0.01
    assert quantized.score >= quantized.float_score - 0.01

    graph = lower(quantized.module, quantized.calibration_inputs)
    x, labels = prepare(dataset.preprocessing, dataset.test.x), dataset.test.y
    with torch.no_grad():
        fake_quantized = quantized.module(network_input(x)).numpy()
    integer = integer_output(graph, network_input(x))
    integer_accuracy = float((integer.argmax(1) == labels).mean())
    assert abs(integer_accuracy - accuracy(trained, x, labels)) <= 0.01
    assert (integer.argmax(1) == fake_quantized.argmax(1)).mean() >= 0.99
    scale = graph.tensors[graph.outputs[0]].quantization
    assert scale is not None
    assert np.abs(integer - fake_quantized).max() <= 3.01 * scale.scales[0]
