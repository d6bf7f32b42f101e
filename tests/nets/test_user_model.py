"""What `--model` accepts besides the names of registered networks."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgeflow.errors import ModelError
from edgeflow.exchange import onnx_qdq, tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.fingerprint import fingerprint
from edgeflow.nets import user_model
from edgeflow.nets.user_model import FloatNetwork, IntegerNetwork
from tests.exchange.onnx_models import residual_network, samples
from tests.exchange.tflite_graphs import every_operator

SOURCE = """
import os

from torch import nn


class Fixed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(12, 4))


class Sized(nn.Sequential):
    def __init__(self, input_shape_hwc, outputs):
        height, width, channels = input_shape_hwc
        super().__init__(nn.Flatten(), nn.Linear(height * width * channels, outputs))


class namespace:
    network = nn.Linear(3, 2)


def optional(input_shape_hwc=(1, 1, 1), outputs=1):
    return Sized(input_shape_hwc, outputs)


def fails(input_shape_hwc, outputs):
    raise ValueError("the width must be even")


def leaves():
    raise SystemExit(3)


def lazy(input_shape_hwc, outputs):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(outputs))


def number():
    return 7


constant = 7
"""

SHAPE, OUTPUTS = (2, 3, 2), 4


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a module of the user's; imports of it end with the test."""
    (tmp_path / "my_network.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("my_network", "broken")):
            del sys.modules[name]


def refused(reference: str, weights: Path | None = None) -> ModelError:
    with pytest.raises(ModelError) as error:
        user_model.load(reference, SHAPE, OUTPUTS, weights)
    return error.value


@pytest.mark.parametrize("attribute", ["Fixed", "Sized", "optional"])
def test_classes_and_functions_are_called_as_they_take_arguments(
    folder: Path, attribute: str
) -> None:
    network = user_model.load(f"my_network:{attribute}", SHAPE, OUTPUTS)
    assert isinstance(network, FloatNetwork)
    assert network.module(torch.zeros(5, 2, 2, 3)).shape == (5, 4)
    assert not network.pretrained
    assert (network.input_shape_hwc, network.outputs) == (None, None)


def test_a_module_object_keeps_its_weights(folder: Path) -> None:
    network = user_model.load("my_network:namespace.network", SHAPE, OUTPUTS)
    assert isinstance(network, FloatNetwork)
    assert network.pretrained
    assert isinstance(network.module, nn.Linear)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("my_network:fails", "ValueError: the width must be even"),
        ("my_network:leaves", "SystemExit: 3"),
        ("my_network:lazy", "1.weight has no shape yet"),
        ("my_network:number", "gives a int, not a torch.nn.Module"),
        ("my_network:constant", "neither an nn.Module nor callable"),
        ("my_network:absent", "no attribute 'absent'"),
        ("my_netwrok:Fixed", "No module named 'my_netwrok'"),
        ("os; import sys:x", "not of the form"),
        ("my_network:", "not of the form"),
        ("resnet", "no model that edgeflow can load"),
        ("network.pt", "no model that edgeflow can load"),
    ],
)
def test_what_cannot_be_loaded_says_why(folder: Path, reference: str, message: str) -> None:
    error = refused(reference)
    assert message in error.message
    assert error.hint


def test_errors_inside_an_import_name_the_line(folder: Path) -> None:
    (folder / "broken.py").write_text("import my_network\n\nx = 1 / 0\n")
    error = refused("broken:x")
    assert "ZeroDivisionError: division by zero" in error.message
    assert "broken.py, line 3" in error.message


def test_a_syntax_error_names_its_own_line(folder: Path) -> None:
    (folder / "unfinished.py").write_text("x = 1\ny =\n")
    assert "unfinished.py, line 2" in refused("unfinished:x").message


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.LSTM(8, 10), "Expected input to be 2D or 3D"),
        (nn.Sequential(nn.Flatten(), nn.Linear(100, 10)), "shapes cannot be multiplied"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), "outputs of shape (2, 5)"),
        (nn.Sequential(nn.Flatten(), nn.LSTM(64, 10)), "gives a tuple"),
    ],
    ids=["rank", "features", "classes", "tuple"],
)
def test_a_network_that_cannot_answer_for_the_data_says_why(
    network: nn.Module, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        user_model.check_answers("mine:net", network, (8, 8, 1), 10)
    assert message in caught.value.message
    assert "mine:net" in caught.value.message
    assert "(2, 1, 8, 8)" in caught.value.message


def test_a_damaged_model_file_is_named(tmp_path: Path) -> None:
    for name in ("cut.tflite", "cut.onnx"):
        (tmp_path / name).write_bytes(b"\x18\0\0\0TFL3")
        assert str(tmp_path / name) in refused(str(tmp_path / name)).message


def test_a_missing_attribute_lists_the_others(folder: Path) -> None:
    assert "Fixed" in refused("my_network:fixed").hint


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_weights_are_loaded_into_a_network_from_python(folder: Path, suffix: str) -> None:
    state = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).state_dict()
    path = folder / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    network = user_model.load("my_network:Fixed", SHAPE, OUTPUTS, path)
    assert isinstance(network, FloatNetwork)
    assert network.pretrained
    assert torch.equal(network.module.state_dict()["1.weight"], state["1.weight"])


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_pickled_code_is_never_run(folder: Path, suffix: str) -> None:
    witness, path = folder / "ran", folder / f"weights{suffix}"
    path.write_bytes(pickle.dumps(Payload(witness)))
    assert "cannot be read" in refused("my_network:Fixed", path).message
    torch.save({"1.weight": Payload(witness)}, path)
    assert "cannot be read" in refused("my_network:Fixed", path).message
    assert not witness.exists()


def test_weights_that_do_not_fit_name_what_differs(folder: Path) -> None:
    path = folder / "weights.pt"
    torch.save(nn.Linear(3, 2).state_dict(), path)
    assert "1.weight" in refused("my_network:Fixed", path).message
    torch.save([1, 2], path)
    assert "no state dictionary" in refused("my_network:Fixed", path).message
    assert "another kind" in refused("my_network:Fixed", folder / "weights.bin").message
    assert "cannot be read" in refused("my_network:Fixed", folder / "absent.pt").message


def test_float_onnx_gives_a_pretrained_network_with_its_shapes(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    model = residual_network()
    path.write_bytes(model.SerializeToString())
    network = user_model.load(str(path), SHAPE, OUTPUTS)
    assert isinstance(network, FloatNetwork)
    assert (network.input_shape_hwc, network.outputs) == ((12, 12, 3), 10)
    assert network.pretrained
    assert network.module(torch.from_numpy(samples(model, 1)[0])).shape == (1, 10)


@pytest.mark.parametrize("suffix", [".onnx", ".TFLITE"])
def test_integer_files_give_their_graph(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"network{suffix}"
    writer = onnx_qdq if suffix == ".onnx" else tflite
    path.write_bytes(writer.write(every_operator()))
    network = user_model.load(str(path), SHAPE, OUTPUTS)
    assert isinstance(network, IntegerNetwork)
    assert fingerprint(network.graph) == fingerprint(canonicalize(every_operator()))


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_missing_damaged_and_unreadable_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"network{suffix}"
    assert "No such file" in refused(str(path)).message
    path.write_bytes(np.random.default_rng(0).bytes(500))
    refused(str(path))
    path.unlink()
    path.mkdir()
    assert "directory" in refused(str(path)).message


def test_files_with_their_own_weights_take_no_others(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(residual_network().SerializeToString())
    assert "its own weights" in refused(str(path), tmp_path / "w.pt").message
