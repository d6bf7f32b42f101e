"""A float32 ONNX file of our writer as a module of PyTorch, which is all that this file needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from torch.nn import functional


class OnnxNetwork(torch.nn.Module):
    """Runs the operators that the networks of MLPerf Tiny consist of, in the order of the file."""

    def __init__(self, path: str) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
        # Plain integers: torch.compile traces none of NumPy's.
        self.integers = {
            name: tuple(int(n) for n in a) for name, a in arrays.items() if a.dtype == np.int64
        }
        self.places: dict[str, str] = {}
        for number, (name, array) in enumerate(arrays.items()):
            if name not in self.integers:
                self.places[name] = f"constant{number}"
                self.register_buffer(self.places[name], torch.from_numpy(array.copy()))
        self.nodes = [
            (
                each.op_type,
                list(each.input),
                each.output[0],
                {a.name: onnx.helper.get_attribute_value(a) for a in each.attribute},
            )
            for each in graph.node
        ]
        self.given, self.got = graph.input[0].name, graph.output[0].name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network's answer."""
        values = {self.given: x}
        for kind, inputs, output, attributes in self.nodes:
            operands = [values[name] if name in values else self._constant(name) for name in inputs]
            values[output] = OPERATORS[kind](operands, attributes)
        return values[self.got]

    def _constant(self, name: str) -> Any:
        return self.integers[name] if name in self.integers else getattr(self, self.places[name])


def _conv(operands: list[Any], attributes: dict[str, Any]) -> torch.Tensor:
    x, weights, bias = operands
    top, left, bottom, right = attributes["pads"]
    symmetric = (top, left) == (bottom, right)
    if not symmetric:
        x = functional.pad(x, (left, right, top, bottom))
    padding = (top, left) if symmetric else (0, 0)
    return functional.conv2d(
        x, weights, bias, attributes["strides"], padding, 1, attributes["group"]
    )


def _reshape(operands: list[Any], _: dict[str, Any]) -> torch.Tensor:
    x, shape = operands
    return x.reshape(shape)


OPERATORS: dict[str, Any] = {
    "Conv": _conv,
    "Reshape": _reshape,
    "Relu": lambda operands, _: functional.relu(operands[0]),
    "Add": lambda operands, _: operands[0] + operands[1],
    "AveragePool": lambda operands, given: functional.avg_pool2d(
        operands[0], given["kernel_shape"]
    ),
    "Gemm": lambda operands, _: functional.linear(operands[0], operands[1], operands[2]),
    "Softmax": lambda operands, _: functional.softmax(operands[0], 1),
    "Identity": lambda operands, _: operands[0],
}
