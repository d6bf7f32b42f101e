"""Teachers and tickets: distilled against plain, KD ticket against rewinding and fine-tuning.

Students are compared at equal student compute: what the teacher's forward passes cost comes on top
and is stated in `training MACs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from torch import nn

from benchmarks.train.frame import (
    FORWARD_AND_BACKWARD,
    Better,
    Comparison,
    Data,
    Effort,
    Measured,
    Say,
    dataset,
    forward_macs,
    parameters,
    training_macs,
)
from edgeflow.data.dataset import Dataset, prepare
from edgeflow.nets.layout import network_input
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    Convolution,
    DepthwiseSeparable,
    GlobalAveragePool,
    Logits,
    Residual,
)
from edgeflow.train.distill import by_logits
from edgeflow.train.distill_features import by_features
from edgeflow.train.distill_online import by_peer
from edgeflow.train.evaluate import accuracy
from edgeflow.train.fit import fit
from edgeflow.train.guidance import Guidance
from edgeflow.train.kd_ticket import kd_ticket
from edgeflow.train.options import TrainOptions
from edgeflow.train.prune import magnitude_masks, masked
from edgeflow.train.retrain import DenseTraining, Prune, fine_tune, rewind_weights

TEMPERATURE = 4.0
SOFT_WEIGHT = 0.7
TICKET_SOFT_WEIGHT = 0.9
SPARSITIES = (0.8, 0.95)
CLAIMS = {
    "logits": ("a student learns more from a teacher's logits and labels", "arXiv 1503.02531"),
    "features": ("a student learns more from feature maps, logits, labels", "arXiv 1412.6550"),
    "online": ("a student learns more with a peer that learns at once", "arXiv 1706.00384"),
}


@dataclass(frozen=True)
class Lesson:
    """A student, its teacher (also the network that is pruned), and the epochs of each."""

    data: Data
    student: tuple[AnyCell, ...]
    teacher: tuple[AnyCell, ...]
    student_epochs: int
    teacher_epochs: int

    def shorter(self) -> Lesson:
        """As little as runs every part."""
        return replace(self, student_epochs=2, teacher_epochs=2)


def _convolutions(*channels: int) -> tuple[AnyCell, ...]:
    """3x3 convolutions, all but the first with stride 2, and their mean."""
    first, *rest = channels
    strided = (Convolution(channels=c, stride=(2, 2)) for c in rest)
    return (Convolution(channels=first), *strided, GlobalAveragePool(), Logits(units=10))


def _separable(*channels: int) -> tuple[AnyCell, ...]:
    first, *rest = channels
    return (
        Convolution(channels=first, kernel=(5, 5), stride=(2, 2)),
        *(DepthwiseSeparable(channels=c) for c in rest),
        GlobalAveragePool(),
        Logits(units=10),
    )


LESSONS = (
    Lesson(Data.DIGITS, _convolutions(4, 6, 8), _convolutions(16, 32, 64), 40, 40),
    Lesson(Data.SPOKEN_DIGITS, _separable(8, 8, 12), _separable(24, 24, 32), 20, 20),
    Lesson(
        Data.CIFAR10,
        (
            Convolution(channels=8, stride=(2, 2)),
            *_convolutions(12, 16, 24),
        ),
        (
            Convolution(channels=16, stride=(2, 2)),
            Residual(channels=16),
            Residual(channels=24, stride=(2, 2)),
            GlobalAveragePool(),
            Logits(units=10),
        ),
        6,
        6,
    ),
)


def compare(effort: Effort, say: Say) -> Iterator[Comparison]:
    """Every comparison of teachers and of tickets, data by data."""
    for lesson in LESSONS:
        data = dataset(lesson.data, effort)
        if data is None:
            say(f"{lesson.data} is absent: skipped")
            continue
        chosen = lesson.shorter() if effort is Effort.QUICK else lesson
        teachers = {}
        for seed in effort.seeds:
            say(f"{lesson.data}: a teacher, seed {seed}")
            teachers[seed] = _teacher(chosen, data, seed)
        say(f"{lesson.data}: distilled against plain")
        yield from _distilled(chosen, data, teachers)
        for sparsity in SPARSITIES:
            say(f"{lesson.data}: tickets with {sparsity:.0%} of the weights removed")
            yield _tickets(chosen, data, teachers, sparsity)


def _teacher(lesson: Lesson, data: Dataset, seed: int) -> DenseTraining:
    untrained = build(_spec(data, lesson.teacher), seed)
    options = _options(lesson.teacher_epochs, seed)
    return DenseTraining(untrained, fit(untrained, data, options).network, data, options)


def _distilled(
    lesson: Lesson, data: Dataset, teachers: Mapping[int, DenseTraining]
) -> Iterator[Comparison]:
    spec, teacher = _spec(data, lesson.student), _spec(data, lesson.teacher)
    values: dict[str, list[float]] = {}
    for seed, dense in teachers.items():
        for name, guidance in _guidances(teacher, dense, data, seed).items():
            options = _options(lesson.student_epochs, seed)
            student = build(spec, seed)
            trained = (
                fit(student, data, options)
                if guidance is None
                else fit(student, data, options, guidance=guidance(student))
            )
            values.setdefault(name, []).append(_test_accuracy(trained.network, data))
    own = training_macs(spec, len(data.train), lesson.student_epochs)
    forward = forward_macs(teacher) * len(data.train) * lesson.student_epochs
    extra = {"plain": 0, "online": FORWARD_AND_BACKWARD * forward}
    measured = {
        name: Measured(name, tuple(v), parameters(spec), own + extra.get(name, forward))
        for name, v in values.items()
    }
    note = f"the teacher has {parameters(teacher):,} parameters, its own training is not counted"
    for name, (claim, paper) in CLAIMS.items():
        yield Comparison(
            claim,
            paper,
            lesson.data,
            "test accuracy",
            Better.HIGHER,
            (measured[name], measured["plain"]),
            note,
        )


def _guidances(
    peer: NetworkSpec, dense: DenseTraining, data: Dataset, seed: int
) -> dict[str, Callable[[nn.Module], Guidance] | None]:
    """What each method learns from, for a student, the claimed one first; `peer` learns online."""
    soft = {"temperature": TEMPERATURE, "soft_weight": SOFT_WEIGHT}
    example = network_input(prepare(data.preprocessing, data.train.x[:2]))
    return {
        "logits": lambda student: by_logits(dense.trained, **soft),
        "plain": None,
        "features": lambda student: by_features(
            student, dense.trained, example, **soft, feature_weight=1.0, seed=seed
        ),
        "online": lambda student: by_peer(
            build(peer, seed + 1000), temperature=1.0, soft_weight=0.5
        ),
    }


def _tickets(
    lesson: Lesson, data: Dataset, teachers: Mapping[int, DenseTraining], sparsity: float
) -> Comparison:
    spec = _spec(data, lesson.teacher)
    values: dict[str, list[float]] = {}
    for dense in teachers.values():
        prune = _pruning(dense, sparsity)
        tickets = {
            "KD ticket": kd_ticket(
                dense, prune, epochs=1, temperature=TEMPERATURE, soft_weight=TICKET_SOFT_WEIGHT
            ),
            "weight rewinding": rewind_weights(dense, prune, 1),
            "fine-tuning": fine_tune(dense, prune),
        }
        for name, trained in tickets.items():
            values.setdefault(name, []).append(_test_accuracy(trained.network, data))
    whole = training_macs(spec, len(data.train), lesson.teacher_epochs)
    left = round(parameters(spec) * (1 - sparsity))
    extra = {"KD ticket": whole // 3}
    return Comparison(
        f"with {sparsity:.0%} of the weights removed, soft labels of the dense network retrain "
        "better than labels",
        "arXiv 2101.03255",
        lesson.data,
        "test accuracy",
        Better.HIGHER,
        tuple(
            Measured(name, tuple(v), left, whole + extra.get(name, 0)) for name, v in values.items()
        ),
        "global magnitude pruning of the trained network; equal epochs; parameters that are left",
    )


def _pruning(dense: DenseTraining, sparsity: float) -> Prune:
    masks = magnitude_masks(dense.trained, sparsity)
    return lambda network: masked(network, masks)


def _spec(data: Dataset, cells: tuple[AnyCell, ...]) -> NetworkSpec:
    return NetworkSpec(name="lesson", input_shape=data.input_shape_hwc, cells=cells)


def _options(epochs: int, seed: int) -> TrainOptions:
    return TrainOptions(epochs=epochs, seed=seed, sanity_checks=False)


def _test_accuracy(network: nn.Module, data: Dataset) -> float:
    return accuracy(network, prepare(data.preprocessing, data.test.x), data.test.labels)
