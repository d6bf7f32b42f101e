from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edgeflow.errors import UnknownNameError
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.registry import NETWORKS, build, specify
from edgeflow.nets.specs import ShapeHWC
from tests.shared_data import shared_file

REFERENCE = [
    # multiply-accumulates of the convolutions and dense layers, as MLPerf Tiny's models have them
    ("mlperf-resnet8", (32, 32, 3), 10, 12_501_632),
    ("mlperf-dscnn", (49, 10, 1), 12, 2_656_768),
    ("mlperf-mobilenet-v1-0.25", (96, 96, 3), 2, 7_489_664),
    ("mlperf-autoencoder", (1, 1, 640), 640, 264_192),
]


def multiply_accumulates(module: nn.Module, shape: ShapeHWC) -> int:
    """Counted from the shapes that really flow, not from the specification."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        total += output.numel() * layer.weight[0].numel()

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    module.eval()(torch.zeros(1, shape[2], *shape[:2]))
    return total


@pytest.mark.parametrize(("name", "shape", "outputs", "macs"), REFERENCE)
def test_reference_networks_have_the_macs_of_mlperf_tiny(
    name: str, shape: ShapeHWC, outputs: int, macs: int
) -> None:
    assert multiply_accumulates(build(name, shape, outputs, 0), shape) == macs


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "file"),
    [
        ("mlperf-resnet8", (32, 32, 3), 10, "ic_resnet8_int8.tflite"),
        ("mlperf-dscnn", (49, 10, 1), 12, "kws_dscnn_int8.tflite"),
        ("mlperf-mobilenet-v1-0.25", (96, 96, 3), 2, "vww_mobilenet_int8.tflite"),
        ("mlperf-autoencoder", (1, 1, 640), 640, "ad01_int8.tflite"),
    ],
)
def test_reference_networks_have_the_weights_of_the_published_models(
    name: str, shape: ShapeHWC, outputs: int, file: str
) -> None:
    from tflite import BuiltinOperator, Model

    model = Model.GetRootAs(shared_file(file).read_bytes())
    graph = model.Subgraphs(0)
    weighted = {
        BuiltinOperator.CONV_2D,
        BuiltinOperator.DEPTHWISE_CONV_2D,
        BuiltinOperator.FULLY_CONNECTED,
    }
    published = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() in weighted:
            published.append(int(np.prod(graph.Tensors(operator.Inputs(1)).ShapeAsNumpy())))
    module = build(name, shape, outputs, 0)
    ours = [m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sorted(ours) == sorted(published)


def test_small_network_stays_small_on_digits() -> None:
    module = build("small", (8, 8, 1), 10, 0)
    assert sum(p.numel() for p in module.parameters()) == 6138
    assert multiply_accumulates(module, (8, 8, 1)) == 84_224


@pytest.mark.parametrize(
    "shape",
    [(8, 8, 1), (28, 28, 1), (32, 32, 3), (49, 10, 1), (96, 96, 3), (1, 1, 30), (1, 128, 6)],
)
def test_small_network_suits_every_shape(shape: ShapeHWC) -> None:
    output = build("small", shape, 7, 0).eval()(torch.zeros(2, shape[2], *shape[:2]))
    assert output.shape == (2, 7)
    assert specify("small", shape, 7).outputs == 7


@pytest.mark.parametrize(("name", "shape", "outputs", "macs"), REFERENCE)
def test_specifications_survive_json(name: str, shape: ShapeHWC, outputs: int, macs: int) -> None:
    spec = specify(name, shape, outputs)
    assert NetworkSpec.model_validate_json(spec.model_dump_json()) == spec


def test_seed_decides_the_weights_and_the_global_generator_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    one, again, other = (build("small", (8, 8, 1), 10, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["0.conv.weight"], other["0.conv.weight"])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_unknown_network_is_answered_with_the_closest_name() -> None:
    with pytest.raises(UnknownNameError) as caught:
        build("resnet8", (32, 32, 3), 10, 0)
    assert "did you mean 'mlperf-resnet8'?" in caught.value.hint
    assert all(name in caught.value.hint for name in NETWORKS)
