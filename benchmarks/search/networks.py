"""Networks that a search is compared with, and its teachers."""

from __future__ import annotations

from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.registry import mlperf_dscnn, mlperf_resnet8
from edgeflow.nets.specs import (
    AnyCell,
    Convolution,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    Logits,
    ShapeHWC,
)

CLASSES = 10
CIFAR10_SHAPE: ShapeHWC = (32, 32, 3)
SPOKEN_SHAPE: ShapeHWC = (49, 10, 1)


def reference() -> NetworkSpec:
    """MLPerf Tiny's ResNet-8 for CIFAR-10."""
    return mlperf_resnet8(CIFAR10_SHAPE, CLASSES)


def hand_drawn() -> NetworkSpec:
    """Inverted residuals of expansion 3, drawn by hand in a minute."""
    plan = ((24, 1), (24, 1), (40, 2), (40, 1), (40, 1), (64, 1))
    return _mobile("hand-drawn", plan, expansion=3)


def teacher() -> NetworkSpec:
    """Deeper and wider inside than what was drawn by hand; cells that keep their shape can go."""
    plan = ((24, 1), (24, 1), (24, 1), (40, 2), (40, 1), (40, 1), (64, 1), (64, 1), (64, 1))
    return _mobile("teacher", plan, expansion=6)


def small_teacher() -> NetworkSpec:
    """Leaves 16 x 16 pixels early, so that a budget goes into channels and depth."""
    plan = ((16, 1), (24, 2), (24, 1), (24, 1), (24, 1), (48, 2), (48, 1), (48, 1))
    return _mobile("small-teacher", plan, expansion=6)


def spoken_reference(shape: ShapeHWC) -> NetworkSpec:
    """MLPerf Tiny's DS-CNN for spoken digits."""
    return mlperf_dscnn(shape, CLASSES)


def spoken_teacher(shape: ShapeHWC) -> NetworkSpec:
    """The DS-CNN with two more cells: it teaches."""
    cells: tuple[AnyCell, ...] = (
        Convolution(channels=64, kernel=(10, 4), stride=(2, 2)),
        *(DepthwiseSeparable(channels=64) for _ in range(6)),
        GlobalAveragePool(),
        Logits(units=CLASSES),
    )
    return NetworkSpec(name="spoken-teacher", input_shape=shape, cells=cells)


def small_spoken_teacher(shape: ShapeHWC) -> NetworkSpec:
    """A network at a stride of 4 from its second cell on, where small budgets get more for less."""
    cells: tuple[AnyCell, ...] = (
        Convolution(channels=24, kernel=(10, 4), stride=(2, 2)),
        DepthwiseSeparable(channels=40, stride=(2, 2)),
        *(DepthwiseSeparable(channels=64) for _ in range(5)),
        GlobalAveragePool(),
        Logits(units=CLASSES),
    )
    return NetworkSpec(name="small-spoken-teacher", input_shape=shape, cells=cells)


def tiny_spoken_teacher(shape: ShapeHWC) -> NetworkSpec:
    """The same with half of the channels."""
    channels = (32, 32, 32, 48, 48)
    cells: tuple[AnyCell, ...] = (
        Convolution(channels=16, kernel=(10, 4), stride=(2, 2)),
        DepthwiseSeparable(channels=channels[0], stride=(2, 2)),
        *(DepthwiseSeparable(channels=inside) for inside in channels[1:]),
        GlobalAveragePool(),
        Logits(units=CLASSES),
    )
    return NetworkSpec(name="tiny-spoken-teacher", input_shape=shape, cells=cells)


def spoken_digits_teacher() -> NetworkSpec:
    """The largest of the teachers for the spoken digits' MFCC."""
    return spoken_teacher(SPOKEN_SHAPE)


def _mobile(name: str, plan: tuple[tuple[int, int], ...], *, expansion: int) -> NetworkSpec:
    inside = (
        InvertedResidual(channels=channels, expansion=expansion, stride=(stride, stride))
        for channels, stride in plan
    )
    cells: tuple[AnyCell, ...] = (
        Convolution(channels=16, stride=(2, 2)),
        *inside,
        Convolution(channels=128, kernel=(1, 1)),
        GlobalAveragePool(),
        Logits(units=CLASSES),
    )
    return NetworkSpec(name=name, input_shape=CIFAR10_SHAPE, cells=cells)
