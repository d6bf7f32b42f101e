"""Where the operators of a `.tflite` file become nodes: names, operands, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.narrow_weights import unpacked
from edgeflow.exchange.tflite_file import RawModel, RawOperator
from edgeflow.exchange.tflite_tensor import RawTensor
from edgeflow.graph.ir import Attributes, DType, NoAttributes, Node, OpKind, Tensor

INT8_HINT = "quantize the whole model to int8 (full integer quantization) and export it again"


class Scope:
    """The tensors and nodes of a graph while a file is being converted."""

    def __init__(self, model: RawModel) -> None:
        self.model = model
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self._taken = {tensor.name for tensor in model.tensors}

    def operand_count(self, operator: RawOperator, least: int, most: int) -> None:
        """Refuse an operator of ours with another number of operands, or with several outputs."""
        if not least <= len(operator.inputs) <= most or len(operator.outputs) != 1:
            raise ModelError(
                f"{operator.label}: {len(operator.inputs)} inputs and {len(operator.outputs)} "
                f"outputs instead of {least} to {most} and 1",
                hint="the file is damaged; export the model again",
            )

    def operand(self, operator: RawOperator, position: int) -> RawTensor | None:
        """The operand as it stands in the file; None where it is left out."""
        if position >= len(operator.inputs) or operator.inputs[position] < 0:
            return None
        return self.model.tensors[operator.inputs[position]]

    def required(self, operator: RawOperator, position: int) -> RawTensor:
        """The operand, which must be there."""
        raw = self.operand(operator, position)
        if raw is None:
            raise ModelError(
                f"{operator.label}: operand {position} is missing",
                hint="the file is damaged; export the model again",
            )
        return raw

    def int8(self, operator: RawOperator, position: int) -> Tensor:
        """An int8 operand with one scale: an activation, or a constant in its place."""
        return self.keep_int8(self.required(operator, position), operator.label)

    def keep_int8(self, raw: RawTensor, label: str) -> Tensor:
        """Take an int8 tensor of the file into the graph."""
        if raw.type_name != "INT8":
            raise UnsupportedOperatorError(
                f"{label}: tensor {raw.name!r} is of type {raw.type_name}; supported: INT8",
                hint=INT8_HINT,
            )
        if raw.quantization is None or len(raw.quantization.scales) != 1:
            count = 0 if raw.quantization is None else len(raw.quantization.scales)
            raise ModelError(
                f"{label}: tensor {raw.name!r} has {count} scales instead of 1", hint=INT8_HINT
            )
        data = None if raw.payload is None else read_int8(raw)
        return self.keep(Tensor(raw.name, raw.shape, DType.INT8, raw.quantization, data))

    def output(self, operator: RawOperator) -> Tensor:
        """The operator's only output, int8."""
        return self.keep_int8(self.model.tensors[operator.outputs[0]], operator.label)

    def weights(self, operator: RawOperator, position: int) -> Tensor:
        """Constant int8 or int4 weights, with one scale or one per channel."""
        raw = self.required(operator, position)
        if raw.type_name not in ("INT8", "INT4") or raw.payload is None:
            what = raw.type_name if raw.payload is not None else "no constant"
            raise UnsupportedOperatorError(
                f"{operator.label}: weights {raw.name!r} are {what}; supported: constant "
                "INT8, INT4",
                hint=INT8_HINT,
            )
        if raw.quantization is None:
            raise ModelError(
                f"{operator.label}: weights {raw.name!r} have no scale", hint=INT8_HINT
            )
        if raw.type_name == "INT4":
            data, bits = unpacked(raw.payload, 4, raw.shape), 4
        else:
            data, bits = read_int8(raw), 8
        return self.keep(Tensor(raw.name, raw.shape, DType.INT8, raw.quantization, data, bits))

    def integers(self, operator: RawOperator, position: int) -> NDArray[np.int64]:
        """A constant int32 or int64 operand that holds sizes or axes."""
        raw = self.required(operator, position)
        types: dict[str, Any] = {"INT32": "<i4", "INT64": "<i8"}
        if raw.type_name not in types or raw.payload is None:
            what = raw.type_name if raw.payload is not None else "no constant"
            raise UnsupportedOperatorError(
                f"{operator.label}: operand {raw.name!r} is {what}; supported: constant "
                "INT32, INT64",
                hint="export the model with static shapes",
            )
        values = np.frombuffer(raw.payload, dtype=types[raw.type_name])
        return values.reshape(raw.shape).astype(np.int64)

    def keep(self, tensor: Tensor) -> Tensor:
        """The graph's tensor of that name; added at its first use."""
        return self.tensors.setdefault(tensor.name, tensor)

    def new(self, tensor: Tensor) -> Tensor:
        """Add a tensor that the file does not have; its name is made unique."""
        name = tensor.name
        number = 1
        while name in self._taken:
            number += 1
            name = f"{tensor.name}_{number}"
        self._taken.add(name)
        return self.keep(replace(tensor, name=name))

    def node(
        self, kind: OpKind, inputs: tuple[Tensor, ...], output: Tensor, attributes: Attributes
    ) -> None:
        """Add a node, named after its output."""
        names = tuple(tensor.name for tensor in inputs)
        self.nodes.append(Node(output.name, kind, names, (output.name,), attributes))

    def reshaped(self, x: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
        """`x` in another shape: itself, or the output of a RESHAPE."""
        if x.shape == shape:
            return x
        output = self.new(replace(x, name=name, shape=shape, data=None))
        self.node(OpKind.RESHAPE, (x,), output, NoAttributes())
        return output


def read_int8(raw: RawTensor) -> NDArray[np.int8]:
    """The constant's elements."""
    assert raw.payload is not None
    return np.frombuffer(raw.payload, dtype=np.int8).reshape(raw.shape).copy()


def read_int32(raw: RawTensor) -> NDArray[np.int32]:
    """The constant's elements, in this machine's byte order."""
    assert raw.payload is not None
    return np.frombuffer(raw.payload, dtype="<i4").reshape(raw.shape).astype(np.int32)
