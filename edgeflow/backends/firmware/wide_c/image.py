"""Images with margins, in rows of bytes, and how filters go over them."""

from __future__ import annotations

from dataclasses import dataclass

from edgeflow.backends.firmware.c_text import Value
from edgeflow.backends.firmware.portable_c.channelwise import is_pointwise
from edgeflow.graph.ir import Conv2D, Graph, Node, OpKind

WORD_BYTES = 4
_SLACK_BYTES = 64


@dataclass(frozen=True)
class Image:
    """An image with margins, in rows of bytes, and how a filter goes over it.

    A pointwise filter without stride takes all pixels as one row.
    """

    rows: int
    row_bytes: int
    above: int
    below: int
    left: int
    right: int
    output_height: int
    output_width: int
    line_step: int
    pixel_step: int
    filter_rows: int
    filter_row_step: int
    filter_row_bytes: int
    least_words: int = 0

    @property
    def copy_bytes(self) -> int:
        """The copy, and what words may reach beyond it."""
        whole = self.left + self.row_bytes + self.right
        return (self.above + self.rows + self.below) * whole + _SLACK_BYTES

    @property
    def filter_words(self) -> int:
        """Words that cover a row of the filter."""
        return max(-(-self.filter_row_bytes // WORD_BYTES), self.least_words)

    def margin(self, value: int) -> dict[str, Value]:
        """The struct of the margin, which holds `value`."""
        sizes: dict[str, Value] = {
            name: getattr(self, name)
            for name in ("rows", "row_bytes", "above", "below", "left", "right")
        }
        return {**sizes, "value": value}


def image_of(graph: Graph, node: Node) -> Image:
    """The image of a convolution; rows of its filter are runs of bytes where it has no dilation."""
    assert isinstance(node.attributes, Conv2D)
    window = node.attributes.window
    _, in_h, in_w, in_c = graph.tensors[node.inputs[0]].shape
    _, out_h, out_w, _ = graph.tensors[node.outputs[0]].shape
    _, filter_h, filter_w, _ = graph.tensors[node.inputs[1]].shape
    pointwise = node.kind is OpKind.CONV_2D and is_pointwise(graph, node)
    if pointwise and (window.stride_h, window.stride_w) == (1, 1):
        pixels = in_h * in_w
        whole = pixels * in_c
        return Image(1, whole, 0, 0, 0, 0, 1, pixels, whole, in_c, 1, whole, in_c)
    row = (window.pad_left + in_w + window.pad_right) * in_c
    return Image(
        rows=in_h,
        row_bytes=in_w * in_c,
        above=window.pad_top,
        below=window.pad_bottom,
        left=window.pad_left * in_c,
        right=window.pad_right * in_c,
        output_height=out_h,
        output_width=out_w,
        line_step=window.stride_h * row,
        pixel_step=window.stride_w * in_c,
        filter_rows=filter_h,
        filter_row_step=window.dilation_h * row,
        filter_row_bytes=filter_w * in_c,
    )
