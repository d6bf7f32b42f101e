"""Attributes in the option tables of a `.tflite` file, read with every check of their own."""

from __future__ import annotations

from typing import Any

import tflite

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.exchange.limits import MAX_TENSOR_ELEMENTS
from edgeflow.exchange.tflite_file import RawOperator
from edgeflow.exchange.tflite_options import ACTIVATION_CODES
from edgeflow.exchange.tflite_padding import paddings, same_window
from edgeflow.exchange.tflite_tensor import names_by_value
from edgeflow.graph.ir import Activation, Tensor, Window

DAMAGED_HINT = "the file is damaged; export the model again"

_ACTIVATIONS = {code: activation for activation, code in ACTIVATION_CODES.items()}
_ACTIVATION_NAMES = names_by_value(tflite.ActivationFunctionType)


def options_of(operator: RawOperator, kind: type) -> Any:
    """The operator's option table; ModelError where it is absent or another operator's."""
    if not isinstance(operator.options, kind):
        raise ModelError(f"{operator.label}: no {kind.__name__}", hint=DAMAGED_HINT)
    return operator.options


def activation_of(operator: RawOperator, options: Any) -> Activation:
    """The fused activation; UnsupportedOperatorError for others than the graph's."""
    code = options.FusedActivationFunction()
    if code not in _ACTIVATIONS:
        name = _ACTIVATION_NAMES.get(code, f"code {code}")
        raise UnsupportedOperatorError(
            f"{operator.label}: fused activation {name}; supported: NONE, RELU, RELU6",
            hint="train the network with ReLU or ReLU6",
        )
    return _ACTIVATIONS[code]


def image_of(operator: RawOperator, tensor: Tensor) -> tuple[int, int]:
    """Height and width of an NHWC tensor of batch 1."""
    if len(tensor.shape) != 4 or tensor.shape[0] != 1:
        raise UnsupportedOperatorError(
            f"{operator.label}: tensor {tensor.name!r} has shape {list(tensor.shape)}; supported: "
            "[1, height, width, channels]",
            hint="export the model with a batch of 1",
        )
    return tensor.shape[1], tensor.shape[2]


def window_of(
    operator: RawOperator,
    options: Any,
    image_hw: tuple[int, int],
    kernel_hw: tuple[int, int],
    dilation_hw: tuple[int, int],
) -> Window:
    """The window with explicit paddings; sizes in elements."""
    strides = (options.StrideH(), options.StrideW())
    if min(*strides, *kernel_hw, *dilation_hw) < 1:
        raise ModelError(
            f"{operator.label}: strides {strides}, kernel {kernel_hw}, dilations {dilation_hw}; "
            "all must be at least 1",
            hint=DAMAGED_HINT,
        )
    window = Window(
        stride_h=strides[0],
        stride_w=strides[1],
        dilation_h=dilation_hw[0],
        dilation_w=dilation_hw[1],
    )
    if options.Padding() == tflite.Padding.VALID:
        return window
    if options.Padding() == tflite.Padding.SAME:
        window = same_window(window, image_hw, kernel_hw)
        _check_padded_size(operator, image_hw, window)
        return window
    raise ModelError(f"{operator.label}: padding code {options.Padding()}", hint=DAMAGED_HINT)


def _check_padded_size(operator: RawOperator, image_hw: tuple[int, int], window: Window) -> None:
    """SAME on a dilation or kernel of 2**30 is legal and would pad to gigabytes."""
    top, bottom, left, right = paddings(window)
    elements = (image_hw[0] + top + bottom) * (image_hw[1] + left + right)
    if elements > MAX_TENSOR_ELEMENTS:
        raise ModelError(
            f"{operator.label}: paddings {paddings(window)} around {image_hw} make {elements} "
            f"elements a channel, more than the {MAX_TENSOR_ELEMENTS} allowed",
            hint=DAMAGED_HINT,
        )


def axis_of(operator: RawOperator, axis: int, rank: int) -> int:
    """The axis counted from the front."""
    if not -rank <= axis < rank:
        raise ModelError(f"{operator.label}: axis {axis} of {rank}", hint=DAMAGED_HINT)
    return axis % rank
