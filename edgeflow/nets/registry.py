"""Reference networks by name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeflow.errors import UnknownNameError
from edgeflow.nets import network
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import (
    CellSpec,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    Logits,
    MaxPool,
    Residual,
    ShapeHWC,
)

if TYPE_CHECKING:
    from torch import nn


def small(shape: ShapeHWC, outputs: int) -> NetworkSpec:
    """The default: 3x3 convolution and max-pooling in turn, down to 3x3 or less; 16 to 64 channels.

    Sides above 40 are halved by the first convolution already; a side of 1 gets no window.
    """
    height, width, _ = shape
    kernel = (3 if height > 1 else 1, 3 if width > 1 else 1)
    stride = (2 if height > 40 else 1, 2 if width > 40 else 1)
    channels = 16
    cells: list[CellSpec] = [Convolution(channels=channels, kernel=kernel, stride=stride)]
    height, width = -(-height // stride[0]), -(-width // stride[1])
    while max(height, width) > 3:
        window = (2 if height > 3 else 1, 2 if width > 3 else 1)
        cells.append(MaxPool(kernel=window, stride=window))
        height, width = height // window[0], width // window[1]
        if max(height, width) > 3:
            channels = min(64, 2 * channels)
            cells.append(Convolution(channels=channels, kernel=kernel))
    cells.append(Logits(units=outputs))
    return NetworkSpec(name="small", input_shape=shape, cells=tuple(cells))


def mlperf_resnet8(shape: ShapeHWC, outputs: int) -> NetworkSpec:
    """MLPerf Tiny image classification: ResNet-8 with 16, 32, 64 channels."""
    return NetworkSpec(
        name="mlperf-resnet8",
        input_shape=shape,
        cells=(
            Convolution(channels=16),
            Residual(channels=16),
            Residual(channels=32, stride=(2, 2)),
            Residual(channels=64, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=outputs),
        ),
    )


def mlperf_dscnn(shape: ShapeHWC, outputs: int) -> NetworkSpec:
    """MLPerf Tiny keyword spotting: DS-CNN with 64 channels (frames x coefficients x 1)."""
    return NetworkSpec(
        name="mlperf-dscnn",
        input_shape=shape,
        cells=(
            Convolution(channels=64, kernel=(10, 4), stride=(2, 2)),
            *(DepthwiseSeparable(channels=64) for _ in range(4)),
            GlobalAveragePool(),
            Logits(units=outputs),
        ),
    )


def mlperf_mobilenet(shape: ShapeHWC, outputs: int) -> NetworkSpec:
    """MLPerf Tiny visual wake words: MobileNetV1 of width 0.25."""
    plan = [
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        *[(128, 1)] * 5,
        (256, 2),
        (256, 1),
    ]
    return NetworkSpec(
        name="mlperf-mobilenet-v1-0.25",
        input_shape=shape,
        cells=(
            Convolution(channels=8, stride=(2, 2)),
            *(DepthwiseSeparable(channels=c, stride=(s, s)) for c, s in plan),
            GlobalAveragePool(),
            Logits(units=outputs),
        ),
    )


def mlperf_autoencoder(shape: ShapeHWC, outputs: int) -> NetworkSpec:
    """MLPerf Tiny anomaly detection: dense 128 x4, 8, 128 x4; `outputs` = input elements there."""
    return NetworkSpec(
        name="mlperf-autoencoder",
        input_shape=shape,
        cells=(
            *(Dense(units=units) for units in (*[128] * 4, 8, *[128] * 4)),
            Logits(units=outputs),
        ),
    )


def seed(shape: ShapeHWC, outputs: int) -> NetworkSpec:
    """What growth starts from: three to five 3x3 convolutions of 4 channels, then their mean.

    Each but the first halves the sides, as long as one is above 4.
    """
    height, width, _ = shape
    cells: list[CellSpec] = []
    while len(cells) < 5:
        stride = (2 if cells and height > 4 else 1, 2 if cells and width > 4 else 1)
        if cells and stride == (1, 1):
            break
        kernel = (3 if height > 1 else 1, 3 if width > 1 else 1)
        cells.append(Convolution(channels=4, kernel=kernel, stride=stride))
        height, width = -(-height // stride[0]), -(-width // stride[1])
    return NetworkSpec(
        name="seed",
        input_shape=shape,
        cells=(*cells, GlobalAveragePool(), Logits(units=outputs)),
    )


def autoencoder(shape: ShapeHWC, outputs: int) -> NetworkSpec:
    """Anomaly detection on inputs of any shape: dense, down to a code and up again.

    An eighth of the elements of the input, from 4 to 32, are the code, and four times as many, at
    most 128, the layers before and after it.
    """
    code = min(32, max(4, math.prod(shape) // 8))
    wide = min(128, 4 * code)
    return NetworkSpec(
        name="autoencoder",
        input_shape=shape,
        cells=(
            Dense(units=wide),
            Dense(units=code),
            Dense(units=wide),
            Logits(units=outputs),
        ),
    )


NETWORKS: dict[str, Callable[[ShapeHWC, int], NetworkSpec]] = {
    "small": small,
    "seed": seed,
    "mlperf-resnet8": mlperf_resnet8,
    "mlperf-dscnn": mlperf_dscnn,
    "mlperf-mobilenet-v1-0.25": mlperf_mobilenet,
    "mlperf-autoencoder": mlperf_autoencoder,
    "autoencoder": autoencoder,
}
AUTOENCODERS = ("autoencoder", "mlperf-autoencoder")


def specify(name: str, input_shape_hwc: ShapeHWC, outputs: int) -> NetworkSpec:
    """The named network for that input shape; UnknownNameError with the closest name otherwise."""
    if name not in NETWORKS:
        close = difflib.get_close_matches(name, NETWORKS, n=1, cutoff=0.4)
        suggestion = f"did you mean {close[0]!r}? " if close else ""
        raise UnknownNameError(
            f"no network {name!r}", hint=f"{suggestion}Networks: {', '.join(NETWORKS)}"
        )
    return NETWORKS[name](input_shape_hwc, outputs)


def build(name: str, input_shape_hwc: ShapeHWC, outputs: int, seed: int) -> nn.Module:
    """The named network as an untrained module, input [N, C, H, W], output [N, outputs]."""
    return network.build(specify(name, input_shape_hwc, outputs), seed)
