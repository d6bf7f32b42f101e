"""Training with a teacher: the loop's features work with it, and it pulls to the teacher."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from edgeflow.data.dataset import Dataset, Split, prepare
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.errors import ModelError
from edgeflow.nets.layout import network_input
from edgeflow.nets.registry import build
from edgeflow.progress import ProgressEvent
from edgeflow.train.distill import by_logits
from edgeflow.train.distill_features import (
    adapter,
    by_features,
    cell_maps,
    hint_losses,
    hint_pairs,
)
from edgeflow.train.distill_online import by_peer, mutual_loss
from edgeflow.train.fit import TrainedNetwork, fit
from edgeflow.train.guidance import BY_TARGETS, Guidance
from edgeflow.train.options import Augmentation, TrainOptions
from edgeflow.train.soft_loss import soft_loss


@cache
def digits() -> Dataset:
    data = load(DataOptions())
    parts = {n: Split(getattr(data, n).x[:128], getattr(data, n).labels[:128]) for n in PARTS}
    return dataclasses.replace(data, **parts)


PARTS = ("train", "validation")


def network(seed: int = 0, name: str = "small") -> nn.Module:
    return build(name, (8, 8, 1), 10, seed)


def inputs() -> torch.Tensor:
    return network_input(prepare(digits().preprocessing, digits().validation.x))


@cache
def teacher() -> nn.Module:
    return fit(network(7), digits(), TrainOptions(epochs=15)).network


def guidances() -> dict[str, Guidance]:
    features = by_features(
        network(),
        network(7, "mlperf-resnet8"),
        inputs()[:2],
        temperature=4.0,
        soft_weight=0.5,
        feature_weight=1.0,
        seed=0,
    )
    return {
        "logits": by_logits(teacher(), temperature=4.0, soft_weight=0.9),
        "features": features,
        "online": by_peer(network(1), temperature=1.0, soft_weight=0.5),
    }


def same(one: TrainedNetwork, other: TrainedNetwork) -> bool:
    states = one.network.state_dict(), other.network.state_dict()
    return one.history == other.history and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


def distance(trained: TrainedNetwork) -> float:
    with torch.no_grad():
        return soft_loss(trained.network(inputs()), teacher()(inputs()), 4.0).item()


def test_a_student_comes_closer_to_its_teachers_answers() -> None:
    options = TrainOptions(epochs=15)
    plain = fit(network(), digits(), options)
    taught = fit(network(), digits(), options, guidance=guidances()["logits"])
    assert distance(taught) < 0.7 * distance(plain)


def test_a_soft_weight_of_zero_is_training_by_targets_bit_for_bit() -> None:
    options = TrainOptions(epochs=2, augmentation=Augmentation.SHIFT)
    alone = by_logits(teacher(), temperature=4.0, soft_weight=0.0)
    assert same(
        fit(network(), digits(), options, guidance=alone), fit(network(), digits(), options)
    )


@pytest.mark.parametrize("method", ["logits", "features", "online"])
def test_an_interrupted_training_with_a_teacher_goes_on_to_the_same_result(
    method: str, tmp_path: Path
) -> None:
    options = TrainOptions(epochs=3, ema=0.9, augmentation=(Augmentation.SHIFT, Augmentation.MIXUP))
    guidance = guidances()[method]
    whole = fit(network(), digits(), options, guidance=guidance)

    def interrupt(event: ProgressEvent) -> None:
        if event.done == 2:
            raise KeyboardInterrupt

    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        fit(network(), digits(), options, interrupt, guidance=guidance, checkpoint=path)
    told: list[ProgressEvent] = []
    rest = fit(network(), digits(), options, told.append, guidance=guidance, checkpoint=path)
    assert "goes on after epoch 2" in told[0].message
    assert same(rest, whole)


def test_the_checkpoint_of_another_teacher_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    options = TrainOptions(epochs=1)
    fit(network(), digits(), options, guidance=guidances()["logits"], checkpoint=path)
    told: list[ProgressEvent] = []
    other = by_logits(network(8), temperature=4.0, soft_weight=0.9)
    fit(network(), digits(), options, told.append, guidance=other, checkpoint=path)
    assert "belongs to another training" in told[0].message


def test_teachers_and_peers_of_the_caller_are_left_as_they_were() -> None:
    for guidance in guidances().values():
        modules = guidance.teachers, guidance.companion
        before = [{n: v.clone() for n, v in m.state_dict().items()} for m in modules]
        fit(network(), digits(), TrainOptions(epochs=1), guidance=guidance)
        for module, state in zip(modules, before, strict=True):
            assert all(torch.equal(v, state[n]) for n, v in module.state_dict().items())


def test_feature_maps_come_closer_to_the_teachers() -> None:
    options = TrainOptions(epochs=10)
    pairs = hint_pairs(cell_maps(network().eval(), inputs()), cell_maps(teacher(), inputs()))

    def trained(feature_weight: float) -> float:
        guidance = by_features(
            network(),
            teacher(),
            inputs()[:2],
            temperature=4.0,
            soft_weight=0.0,
            feature_weight=feature_weight,
            seed=0,
        )
        student = fit(network(), digits(), options, guidance=guidance).network
        maps, wanted = cell_maps(student, inputs()), cell_maps(teacher(), inputs())
        same_width = [nn.Identity()] * len(pairs)
        return (
            hint_losses([maps[i] for i, _ in pairs], [wanted[j] for _, j in pairs], same_width)
            .sum()
            .item()
        )

    assert trained(10.0) < 0.7 * trained(0.0)


def test_hints_are_mean_squares_of_each_pair() -> None:
    one, other = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    flat = torch.randn(2, 5)
    found = hint_losses([one, flat], [other, flat + 2.0], [nn.Identity(), nn.Identity()])
    torch.testing.assert_close(
        found, torch.stack([(one - other).square().mean(), torch.tensor(4.0)])
    )


def test_hints_of_other_sizes_are_averaged_and_other_channels_adapted() -> None:
    student = torch.randn(2, 3, 8, 8, requires_grad=True)
    taught = torch.randn(2, 6, 4, 4, requires_grad=True)
    adapt = adapter(student, taught)
    hint_losses([student], [taught], [adapt]).sum().backward()
    assert student.grad is not None
    assert taught.grad is None
    assert all(p.grad is not None for p in adapt.parameters())


def test_cells_of_equal_height_and_width_are_compared() -> None:
    sizes = [(2, 4, 8, 8), (2, 4, 4, 4), (2, 8, 4, 4), (2, 10)]
    student = [torch.zeros(size) for size in sizes]
    taught = [torch.zeros(s) for s in ((2, 6, 8, 8), (2, 6, 8, 8), (2, 9, 2, 2), (2, 10))]
    assert hint_pairs(student, taught) == [(0, 1)]
    assert hint_pairs(student[1:], taught[2:]) == [(1, 0)]


def test_a_network_without_cells_has_no_feature_maps() -> None:
    with pytest.raises(ModelError, match="has no cells") as caught:
        cell_maps(nn.Linear(3, 3), torch.zeros(1, 3))
    assert 'method = "logits"' in caught.value.hint


def test_peers_teach_each_other_without_gradient_through_the_teacher() -> None:
    """Zhang et al. 2018: dL_1/dz_1 = softmax(z_1) - softmax(z_2) for the soft part alone."""
    one, other = (torch.randn(4, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    mutual_loss(one, other, lambda z: z.sum() * 0, temperature=1.0, soft_weight=1.0).backward()
    p, q = torch.softmax(one.detach(), 1), torch.softmax(other.detach(), 1)
    assert one.grad is not None
    torch.testing.assert_close(one.grad, (p - q) / 4)


def test_by_targets_is_what_fit_does_without_guidance() -> None:
    options = TrainOptions(epochs=1)
    assert same(
        fit(network(), digits(), options), fit(network(), digits(), options, guidance=BY_TARGETS)
    )
