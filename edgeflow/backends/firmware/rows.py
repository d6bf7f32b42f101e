"""Layers in bands of rows: which input rows a band of output rows reads, and the layer for it.

A band of a layer is a smaller layer of the same sort: fewer rows, and padding at the top and the
bottom only where the band touches an edge of the image. So every kernel set runs it as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgeflow.graph.ir import Conv2D, DType, Elementwise, Graph, Node, OpKind, Pool2D, Tensor

# Their kernels read element i of an input before they write element i of the output.
ELEMENTWISE_KINDS = frozenset(
    {OpKind.RELU, OpKind.RELU6, OpKind.LOGISTIC, OpKind.QUANTIZE, OpKind.ADD, OpKind.MUL}
)

_BINARY_KINDS = frozenset({OpKind.ADD, OpKind.MUL})


@dataclass(frozen=True)
class RowWindow:
    """Output row y reads input rows y * stride - pad to y * stride - pad + extent - 1."""

    stride: int = 1
    pad: int = 0
    extent: int = 1


@dataclass(frozen=True)
class Band:
    """Output rows `first` to `first` + `rows` - 1, and the input rows below their windows.

    `pad_top` and `pad_bottom` are the rows of the windows that lie outside of the input.
    """

    first: int
    rows: int
    input_first: int
    input_rows: int
    pad_top: int
    pad_bottom: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """What tells bands apart but for their place."""
        return self.rows, self.input_rows, self.pad_top, self.pad_bottom


def is_image(tensor: Tensor) -> bool:
    """Whether a tensor is one image in RAM: int8 [1, height, width, channels]."""
    is_int8 = tensor.dtype is DType.INT8 and not tensor.is_constant
    return is_int8 and len(tensor.shape) == 4 and tensor.shape[0] == 1


def height(tensor: Tensor) -> int:
    """Rows of an image."""
    return tensor.shape[1]


def row_bytes(tensor: Tensor) -> int:
    """Bytes of a row of an image."""
    return math.prod(tensor.shape[2:])


def image_inputs(graph: Graph, node: Node) -> tuple[str, ...]:
    """The inputs of a node that are not constants, each once."""
    return tuple(name for name in dict.fromkeys(node.inputs) if not graph.tensors[name].is_constant)


def row_window(graph: Graph, node: Node) -> RowWindow | None:
    """Which rows of its images a node reads; None where it cannot run in bands of rows."""
    output = graph.tensors[node.outputs[0]]
    images = [graph.tensors[name] for name in image_inputs(graph, node)]
    if not images or not all(is_image(tensor) for tensor in (output, *images)):
        return None
    attributes = node.attributes
    if isinstance(attributes, Conv2D):
        window, taps = attributes.window, graph.tensors[node.inputs[1]].shape[1]
        extent = (taps - 1) * window.dilation_h + 1
    elif isinstance(attributes, Pool2D):
        window, extent = attributes.window, attributes.kernel_h
    else:
        alike = node.kind not in _BINARY_KINDS or _same_rows(graph, node)
        return RowWindow() if node.kind in ELEMENTWISE_KINDS and alike else None
    # A window that lies in the padding as a whole would make a band without input.
    last = (height(output) - 1) * window.stride_h - window.pad_top
    inside = window.pad_top < extent and last < height(images[0])
    return RowWindow(window.stride_h, window.pad_top, extent) if inside else None


def _same_rows(graph: Graph, node: Node) -> bool:
    """Whether each row of a sum or product takes the same rows of images, the same constants."""
    output = graph.tensors[node.outputs[0]].shape
    for name in node.inputs:
        tensor = graph.tensors[name]
        repeats = math.prod(tensor.shape) in (1, output[-1])
        if not (repeats if tensor.is_constant else tensor.shape == output):
            return False
    return isinstance(node.attributes, Elementwise)


def bands(graph: Graph, node: Node, rows: int) -> Iterator[Band]:
    """A layer from its first row to its last, `rows` at a time; the last band may have fewer."""
    window = row_window(graph, node)
    assert window is not None
    output = height(graph.tensors[node.outputs[0]])
    given = height(graph.tensors[image_inputs(graph, node)[0]])
    for first in range(0, output, rows):
        count = min(rows, output - first)
        top = first * window.stride - window.pad
        end = top + (count - 1) * window.stride + window.extent
        begin, stop = max(top, 0), min(end, given)
        yield Band(first, count, begin, stop - begin, begin - top, end - stop)


def band_layer(graph: Graph, node: Node, band: Band) -> tuple[Graph, Node]:
    """The layer of a band: the same names and constants, fewer rows."""
    tensors = {name: graph.tensors[name] for name in (*node.inputs, *node.outputs)}
    for name in image_inputs(graph, node):
        tensors[name] = _with_rows(tensors[name], band.input_rows)
    tensors[node.outputs[0]] = _with_rows(tensors[node.outputs[0]], band.rows)
    attributes = node.attributes
    if isinstance(attributes, Conv2D | Pool2D):
        padded = replace(attributes.window, pad_top=band.pad_top, pad_bottom=band.pad_bottom)
        attributes = replace(attributes, window=padded)
    cut = replace(node, attributes=attributes)
    return Graph(graph.name, tensors, (cut,), node.inputs, node.outputs), cut


def _with_rows(tensor: Tensor, rows: int) -> Tensor:
    return replace(tensor, shape=(tensor.shape[0], rows, *tensor.shape[2:]))
