"""Cells as values: fixed input and output shape, serialisable, without torch.

Shapes are (height, width, channels). Windows pad symmetrically with zeros to ceil(size / stride)
outputs, as "same" padding gives; where TensorFlow would pad an odd total, one more zero lies before
the data here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edgeflow.errors import ModelError

ShapeHWC = tuple[int, int, int]
Count = Annotated[int, Field(ge=1)]
Pair = tuple[Count, Count]


class CellSpec(BaseModel):
    """Base of the cells."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def same_padding(size: int, kernel: int, stride: int) -> int:
    """Zeros on each side of an axis so that it has ceil(size / stride) windows.

    Raises ModelError where symmetric zeros cannot do that (even kernel at stride 1).
    """
    outputs = -(-size // stride)
    padding = -(-max(0, (outputs - 1) * stride + kernel - size) // 2)
    if (size + 2 * padding - kernel) // stride + 1 != outputs:
        raise ModelError(
            f"kernel {kernel} at stride {stride} over {size} elements has no symmetric padding",
            hint="use an odd kernel, or a larger stride",
        )
    return padding


def windowed(shape: ShapeHWC, kernel: Pair, stride: Pair, channels: int) -> ShapeHWC:
    """Shape after a "same"-padded window of `kernel` and `stride`."""
    for size, k, s in zip(shape[:2], kernel, stride, strict=True):
        same_padding(size, k, s)
    return (-(-shape[0] // stride[0]), -(-shape[1] // stride[1]), channels)


class Convolution(CellSpec):
    """Convolution, batch normalization, ReLU."""

    kind: Literal["convolution"] = "convolution"
    channels: Count
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return windowed(shape, self.kernel, self.stride, self.channels)


class GroupedConvolution(CellSpec):
    """Convolution in equal groups of channels, batch normalization, ReLU.

    Each group of output channels reads its part of the input alone (Krizhevsky et al. 2012, section
    3.5). `groups` divide the channels of the input and of the output.
    """

    kind: Literal["grouped-convolution"] = "grouped-convolution"
    channels: Count
    groups: Annotated[int, Field(ge=2)]
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        if shape[2] % self.groups or self.channels % self.groups:
            raise ModelError(
                f"{self.groups} groups do not divide {shape[2]} channels and {self.channels}",
                hint="choose groups that divide the channels of the input and of the output",
            )
        return windowed(shape, self.kernel, self.stride, self.channels)


class DepthwiseSeparable(CellSpec):
    """Depthwise convolution and pointwise convolution, each with batch normalization and ReLU."""

    kind: Literal["depthwise-separable"] = "depthwise-separable"
    channels: Count
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    squeeze_excite: bool = False

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return windowed(shape, self.kernel, self.stride, self.channels)


class InvertedResidual(CellSpec):
    """Expand (1x1), depthwise, project (1x1, linear), of MobileNetV2; ReLU6 inside.

    The input is added where shape allows (stride 1, equal channels). `expansion` 1 leaves the
    first convolution out. `inner_channels` are those of the depthwise convolution, where they are
    no multiple of the input's (or more than its own at `expansion` 1).
    """

    kind: Literal["inverted-residual"] = "inverted-residual"
    channels: Count
    expansion: Count = 4
    inner_channels: Count | None = None
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    squeeze_excite: bool = False

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return windowed(shape, self.kernel, self.stride, self.channels)


class Residual(CellSpec):
    """Two convolutions and the input added before the last ReLU (ResNet v1).

    Where stride or channels change the shape, the input passes through a 1x1 convolution without
    batch normalization, as in MLPerf Tiny's ResNet-8. `inner_channels` are those between the two
    convolutions, where they are not `channels`.
    """

    kind: Literal["residual"] = "residual"
    channels: Count
    inner_channels: Count | None = None
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    squeeze_excite: bool = False

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return windowed(shape, self.kernel, self.stride, self.channels)


class Bottleneck(CellSpec):
    """Reduce (1x1), convolve, expand (1x1, linear), and the input added before the last ReLU.

    The bottleneck of ResNet (He et al. 2016, arXiv 1512.03385, figure 5), its stride at the middle
    convolution; `inner_channels` are those before and after that. Where stride or channels change
    the shape, the input passes through a 1x1 convolution, as in `Residual`.
    """

    kind: Literal["bottleneck"] = "bottleneck"
    channels: Count
    inner_channels: Count
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return windowed(shape, self.kernel, self.stride, self.channels)


class MaxPool(CellSpec):
    """Maximum over windows inside the data; what does not fill a window is left out."""

    kind: Literal["max-pool"] = "max-pool"
    kernel: Pair = (2, 2)
    stride: Pair = (2, 2)

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return pooled(shape, self.kernel, self.stride)


class AveragePool(CellSpec):
    """Mean over windows inside the data; what does not fill a window is left out."""

    kind: Literal["average-pool"] = "average-pool"
    kernel: Pair = (2, 2)
    stride: Pair = (2, 2)

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return pooled(shape, self.kernel, self.stride)


def pooled(shape: ShapeHWC, kernel: Pair, stride: Pair) -> ShapeHWC:
    """Shape after an unpadded window."""
    if shape[0] < kernel[0] or shape[1] < kernel[1]:
        raise ModelError(
            f"a pooling window of {kernel[0]}x{kernel[1]} does not fit {shape[0]}x{shape[1]}",
            hint="use fewer or smaller poolings for this input size",
        )
    height, width = ((shape[i] - kernel[i]) // stride[i] + 1 for i in (0, 1))
    return (height, width, shape[2])


class GlobalAveragePool(CellSpec):
    """Mean over height and width."""

    kind: Literal["global-average-pool"] = "global-average-pool"

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return (1, 1, shape[2])


class Dense(CellSpec):
    """Fully connected layer over all elements, batch normalization, ReLU; gives 1 x 1 x `units`."""

    kind: Literal["dense"] = "dense"
    units: Count

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return (1, 1, self.units)


class Logits(CellSpec):
    """Fully connected layer with bias and nothing after it: the last cell of every network."""

    kind: Literal["logits"] = "logits"
    units: Count

    def output_shape(self, shape: ShapeHWC) -> ShapeHWC:
        """Shape that the cell gives for `shape`."""
        return (1, 1, self.units)


AnyCell = Annotated[
    Convolution
    | GroupedConvolution
    | DepthwiseSeparable
    | InvertedResidual
    | Residual
    | Bottleneck
    | MaxPool
    | AveragePool
    | GlobalAveragePool
    | Dense
    | Logits,
    Field(discriminator="kind"),
]
