"""Any torch module to steps: folding, names, and what is refused with which words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.quantize.operators import Convolution, Dense, Mean
from edgeflow.quantize.trace import trace
from tests.lower.networks import NETWORKS, Composed, make_inputs, make_network


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_steps_compute_what_the_module_computes_at_any_batch_size(name: str) -> None:
    network, x = make_network(name), make_inputs(7)
    traced = trace(network, x)
    with torch.no_grad():
        torch.testing.assert_close(traced(x), network(x), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(traced(x[:1]), network(x[:1]), rtol=1e-4, atol=1e-4)


def test_half_precision_weights_are_taken_as_float() -> None:
    network = make_network("depthwise_relu6").half()
    assert (
        trace(network, make_inputs(2)).operator("0.0").get_parameter("weight").dtype
        == torch.float32
    )


def test_tracing_leaves_the_module_alone() -> None:
    network = make_network("depthwise_relu6").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trace(network, make_inputs(2))
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_batch_normalization_is_folded_and_names_are_module_paths() -> None:
    traced = trace(make_network("depthwise_relu6"), make_inputs(2))
    assert [step.name for step in traced.steps] == ["0.0", "1", "2.0", "3", "4", "6"]
    kinds = [type(traced.operator(step.name)) for step in traced.steps]
    assert kinds[0] is Convolution
    assert kinds[-2:] == [Mean, Dense]


def test_functions_are_named_after_the_module_that_calls_them() -> None:
    traced = trace(make_network("squeeze_excite"), make_inputs(2))
    names = [step.name for step in traced.steps]
    assert names[:2] == ["stem.0", "relu"]
    assert len(set(names)) == len(names)
    assert {"relu_1", "sigmoid", "mul", "mean", "head"} <= set(names)


def test_an_unfoldable_affine_map_becomes_a_depthwise_convolution() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1)).eval()
    traced = trace(network, make_inputs(2))
    first = traced.operator("0")
    assert isinstance(first, Convolution)
    assert (first.groups, tuple(first.weight.shape)) == (3, (3, 1, 1, 1))


class Gelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


def test_an_unsupported_operator_is_named_with_its_module_and_what_is_supported() -> None:
    with pytest.raises(UnsupportedOperatorError, match=r"gelu.*'blocks\.1'.*GELU") as caught:
        trace(Gelu(), make_inputs(2))
    assert "conv2d" in caught.value.hint
    assert "relu" in caught.value.hint


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.MaxPool2d(2, dilation=2), "dilation"),
        (nn.Hardtanh(-1.0, 1.0), "limits -1.0 and 1.0"),
        (nn.ConstantPad2d(1, 0.5), "other than with zeros"),
        (nn.ReflectionPad2d(1), "pad"),
        (nn.Linear(8, 2), r"needs a tensor \[N, C\]"),
        (nn.BatchNorm2d(3, track_running_stats=False), "running statistics"),
        (nn.AdaptiveAvgPool2d(3), "8x8 to 3x3"),
        (Composed(lambda m, x: x[:, :2]), "slice"),
        (Composed(lambda m, x: x * torch.rand(8, 8)), "shape"),
        (Composed(lambda m, x: x.mean(1, True) + torch.rand(5, 1, 1)), "shape"),
        (Composed(lambda m, x: torch.softmax(x, 1)), "softmax"),
        (Composed(lambda m, x: x.mean(0, keepdim=True)), "batch"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_what_has_no_integer_operator_is_refused(network: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedOperatorError, match=message) as caught:
        trace(network.eval() if message != "running statistics" else network, make_inputs(4))
    assert caught.value.hint


def test_control_flow_on_values_is_a_model_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="cannot be traced") as caught:
        trace(Composed(lambda m, x: x if x.sum() > 0 else -x), make_inputs(2))
    assert "branch or loop" in caught.value.hint
    assert capfd.readouterr().err == ""


def test_a_wrong_input_shape_is_a_model_error() -> None:
    with pytest.raises(ModelError, match=r"\(2, 3, 8, 8\)"):
        trace(nn.Conv2d(4, 2, 3), make_inputs(2))


def test_two_outputs_are_refused() -> None:
    with pytest.raises(ModelError, match="2 results"):
        trace(Composed(lambda m, x: (functional.relu(x), torch.sigmoid(x))), make_inputs(2))


def test_what_the_output_does_not_need_is_left_out() -> None:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        m.auxiliary(x)
        return m.head(x)

    network = Composed(compute, auxiliary=nn.Conv2d(3, 9, 3), head=nn.Conv2d(3, 2, 3))
    assert [step.name for step in trace(network, make_inputs(2)).steps] == ["head"]


def test_writing_into_a_view_is_noticed() -> None:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        y = torch.relu(x)
        y.view(-1, 192, 1, 1).add_(1.0)
        return y * 2.0

    with pytest.raises(ModelError, match="differs"):
        trace(Composed(compute), make_inputs(2))


def test_weights_that_are_not_finite_are_refused() -> None:
    network = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        network.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="differs"):
        trace(network, make_inputs(2))
