"""TensorFlow Lite's SAME and VALID against the explicit paddings of the integer graph."""

from __future__ import annotations

from enum import Enum

from edgeflow.graph.ir import Window


class PaddingScheme(Enum):
    """How a window's explicit paddings can be said in a `.tflite` file."""

    SAME = "SAME"
    VALID = "VALID"
    EXPLICIT = "EXPLICIT"  # neither: a PAD before a VALID operator


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of SAME along one axis; all in elements.

    As TensorFlow Lite's ComputePadding: the odd element goes after.
    """
    extent = (kernel - 1) * dilation + 1
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def same_window(window: Window, input_hw: tuple[int, int], kernel_hw: tuple[int, int]) -> Window:
    """The window with the paddings that SAME gives it on an input of that height and width."""
    top, bottom = same_padding(input_hw[0], kernel_hw[0], window.stride_h, window.dilation_h)
    left, right = same_padding(input_hw[1], kernel_hw[1], window.stride_w, window.dilation_w)
    return Window(
        stride_h=window.stride_h,
        stride_w=window.stride_w,
        pad_top=top,
        pad_bottom=bottom,
        pad_left=left,
        pad_right=right,
        dilation_h=window.dilation_h,
        dilation_w=window.dilation_w,
    )


def paddings(window: Window) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) in elements."""
    return window.pad_top, window.pad_bottom, window.pad_left, window.pad_right


def scheme_of(
    window: Window, input_hw: tuple[int, int], kernel_hw: tuple[int, int]
) -> PaddingScheme:
    """The scheme that gives exactly the window's paddings; VALID where both would."""
    if not any(paddings(window)):
        return PaddingScheme.VALID
    if paddings(window) == paddings(same_window(window, input_hw, kernel_hw)):
        return PaddingScheme.SAME
    return PaddingScheme.EXPLICIT
