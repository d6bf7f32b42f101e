"""Float ONNX to a torch network that can be trained further and exported by torch.export."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.onnx_flow import flow
from edgeflow.exchange.onnx_fusion import fuse_biases, fuse_flattening, reads_channels_last
from edgeflow.exchange.onnx_model import parse, quantizes
from edgeflow.exchange.onnx_network import OnnxNetwork, layer_for
from edgeflow.exchange.onnx_operators import (
    Flow,
    PassThrough,
    Permutation,
    Reshaping,
    Step,
)


@dataclass(frozen=True, eq=False)
class FloatModel:
    """A float network: `module` maps [N, C, H, W] to [N, outputs] (or the file's output shape).

    `input_shape_hwc` is one sample; a file whose input is [N, F] gives (1, 1, F), its module
    flattens what it is given.
    """

    name: str
    module: nn.Module
    input_shape_hwc: tuple[int, int, int]
    outputs: int


def read(data: bytes) -> FloatModel:
    """Read the bytes of a float `.onnx`; the network is in evaluation mode.

    Raises ModelError for damaged, hostile or quantized files, UnsupportedOperatorError for
    operators outside the set.
    """
    model = parse(data)
    if quantizes(model):
        raise ModelError(
            "the ONNX model is quantized (it holds QuantizeLinear or DequantizeLinear)",
            hint="read it with edgeflow.exchange.onnx_qdq, or pass the float model",
        )
    return network_of(fuse_flattening(fuse_biases(flow(model))))


def network_of(model: Flow) -> FloatModel:
    """The torch network of a float flow with one input and one output."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"the ONNX model has inputs {[i.name for i in model.inputs]} and outputs "
            f"{list(model.outputs)}; edgeflow builds networks with one of each"
        )
    source, output = model.inputs[0], model.outputs[0]
    if source.element_type != "float32":
        raise ModelError(f"input {source.name!r} of the ONNX model is not float32")
    if output in model.constants or output == source.name:
        raise ModelError("the output of the ONNX model does not depend on its input")
    shape_hwc, entered = _entry(model)
    layers = [layer_for(step, entered) for step in entered.steps]
    elements = 1
    for extent in model.shapes[output]:
        elements *= extent
    return FloatModel(model.name, OnnxNetwork(source.name, output, layers), shape_hwc, elements)


def _entry(model: Flow) -> tuple[tuple[int, int, int], Flow]:
    """Shape of one sample, and the flow so that it begins with [N, C, H, W]."""
    source = model.inputs[0]
    match source.shape:
        case (_, features):
            flat = Reshaping((1, features))
            return (1, 1, features), _begin(model, "Flatten", flat, source.name)
        case (_, height, width, channels) if reads_channels_last(model.consumers(), source.name):
            to_last = Permutation((0, 2, 3, 1))
            return (height, width, channels), _begin(model, "Transpose", to_last, source.name)
        case (_, channels, height, width):
            return (height, width, channels), model
    raise UnsupportedOperatorError(
        f"input {source.name!r} of the ONNX model has shape {list(source.shape)}",
        hint="supported are [N, C, H, W], [N, H, W, C] followed by Transpose, and [N, features]",
    )


def _begin(model: Flow, op_type: str, operator: Reshaping | Permutation, source: str) -> Flow:
    """The flow behind a step that brings [N, C, H, W] to what the file expects, if one needs it."""
    entered = f"{source}/entered"
    while entered in model.shapes:
        entered += "_"
    steps: list[Step] = []
    for step in model.steps:
        if isinstance(operator, Permutation) and _cancels(step, operator, source):
            steps.append(replace(step, operator=PassThrough(), op_type="Identity"))
        else:
            inputs = tuple(entered if name == source else name for name in step.inputs)
            steps.append(replace(step, inputs=inputs))
    if any(entered in step.inputs for step in steps):
        steps.insert(0, Step("enter", op_type, operator, (source,), entered))
    shapes = {**model.shapes, entered: model.shapes[source]}
    return replace(model, steps=tuple(steps), shapes=shapes)


def _cancels(step: Step, entry: Permutation, source: str) -> bool:
    if not isinstance(step.operator, Permutation) or step.inputs != (source,):
        return False
    return [entry.order[i] for i in step.operator.order] == [0, 1, 2, 3]
