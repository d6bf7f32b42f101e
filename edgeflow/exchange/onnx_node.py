"""A node under examination: typed access to its attributes, shapes and constant inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.onnx_model import Array, RawNode

Shape = tuple[int, ...]


class NodeView:
    """A node with the shapes and constants known so far; remembers which attributes were read."""

    def __init__(
        self, node: RawNode, shapes: Mapping[str, Shape], constants: Mapping[str, Array], opset: int
    ) -> None:
        self.node = node
        self.opset = opset
        self._shapes = shapes
        self._constants = constants
        self._read: set[str] = set()

    @property
    def where(self) -> str:
        """The node as messages name it."""
        return f"node {self.node.name!r} ({self.node.op_type})"

    def bad(self, message: str) -> ModelError:
        """An error for a node that contradicts itself."""
        return ModelError(f"{self.where}: {message}", hint="the model file may be damaged")

    def unsupported(self, message: str) -> UnsupportedOperatorError:
        """An error for a form of the operator that edgeflow does not run."""
        return UnsupportedOperatorError(f"{self.where}: {message}")

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        self._read.add(name)
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            raise self.bad(f"attribute {name!r} is not an integer")
        return value

    def real(self, name: str, default: float) -> float:
        """A float attribute; never NaN."""
        self._read.add(name)
        value = self.node.attributes.get(name, default)
        if not isinstance(value, float | int) or math.isnan(value):
            raise self.bad(f"attribute {name!r} is not a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        self._read.add(name)
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise self.bad(f"attribute {name!r} is not a string")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers, or None where the attribute is absent."""
        self._read.add(name)
        value = self.node.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(v, int) for v in value):
            raise self.bad(f"attribute {name!r} is not a list of integers")
        return tuple(int(v) for v in value)

    def tensor(self, name: str) -> Array:
        """A tensor attribute."""
        self._read.add(name)
        value = self.node.attributes.get(name)
        if not isinstance(value, np.ndarray):
            raise self.bad(f"attribute {name!r} is not a tensor")
        return value

    def numbers(self, name: str, dtype: type) -> Array:
        """A number or a list of numbers as an array."""
        self._read.add(name)
        return np.asarray(self.node.attributes[name], dtype=dtype)

    def has(self, index: int) -> bool:
        """Whether the optional input is there."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index])

    def shape(self, index: int) -> Shape:
        """The shape of an input."""
        if not self.has(index):
            raise self.bad(f"input {index} is missing")
        name = self.node.inputs[index]
        if name not in self._shapes:
            raise self.unsupported(f"reads {name!r}, a second output of another node")
        return self._shapes[name]

    def constant(self, index: int) -> Array:
        """The values of an input that must be a constant."""
        shape = self.shape(index)
        name = self.node.inputs[index]
        if name not in self._constants:
            raise self.unsupported(
                f"input {index} ({name!r}, shape {list(shape)}) depends on the data; "
                "it must be a constant"
            )
        return self._constants[name]

    def constant_integers(self, index: int) -> tuple[int, ...]:
        """A constant input of integers, flattened."""
        values = self.constant(index)
        if values.dtype.kind not in "iu" or values.ndim > 1:
            raise self.bad(f"input {index} is not a list of integers")
        return tuple(int(v) for v in values.reshape(-1))

    def constant_real(self, index: int) -> float:
        """A constant input of one number."""
        values = self.constant(index)
        if values.size != 1:
            raise self.bad(f"input {index} is not one number")
        return float(values.reshape(-1)[0])

    def axis(self, value: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= value < rank:
            raise self.bad(f"axis {value} of a tensor with {rank} dimensions")
        return value % rank

    def finish(self) -> None:
        """Refuse attributes that nothing read: they might change the meaning."""
        left = sorted(set(self.node.attributes) - self._read)
        if left:
            raise self.unsupported(f"attribute {left[0]!r} is not supported")
