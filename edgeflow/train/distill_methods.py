"""Distillation by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from edgeflow.train.distill import by_logits
from edgeflow.train.distill_features import by_features
from edgeflow.train.distill_online import by_peer
from edgeflow.train.distill_options import DistillMethod, DistillOptions
from edgeflow.train.guidance import Guidance

Method = Callable[[DistillOptions, nn.Module, nn.Module, Tensor, int], Guidance]


def guidance(
    options: DistillOptions, student: nn.Module, teacher: nn.Module, example: Tensor, seed: int
) -> Guidance:
    """How `teacher` (trained, or by "online" untrained) guides `student`.

    `example` [N, C, H, W] tells shapes, `seed` sets what is random. Raises ModelError where feature
    maps are asked for and a network has no cells.
    """
    return METHODS[options.method](options, student, teacher, example, seed)


def _logits(
    options: DistillOptions, student: nn.Module, teacher: nn.Module, example: Tensor, seed: int
) -> Guidance:
    return by_logits(teacher, temperature=options.temperature, soft_weight=options.soft_weight)


def _features(
    options: DistillOptions, student: nn.Module, teacher: nn.Module, example: Tensor, seed: int
) -> Guidance:
    return by_features(
        student,
        teacher,
        example,
        temperature=options.temperature,
        soft_weight=options.soft_weight,
        feature_weight=options.feature_weight,
        seed=seed,
    )


def _online(
    options: DistillOptions, student: nn.Module, teacher: nn.Module, example: Tensor, seed: int
) -> Guidance:
    return by_peer(teacher, temperature=options.temperature, soft_weight=options.soft_weight)


METHODS: Mapping[DistillMethod, Method] = {
    DistillMethod.LOGITS: _logits,
    DistillMethod.FEATURES: _features,
    DistillMethod.ONLINE: _online,
}
