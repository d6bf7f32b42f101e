"""Feature maps as hints (FitNets, Romero et al. 2015, arXiv 1412.6550).

    L_hint = mean (r(F_s) - F_t)^2

with feature maps F_s of a student's cell and F_t of a teacher's, and the regressor r of section
2.2, here a 1x1 convolution that is learnt along where the channels differ, and nothing where they
agree.
The paper first trains up to the hint and then by logits; both are summed here, in one training:

    L = w T^2 KL(p_t || p_s) + (1 - w) L_targets + v sum_cells L_hint
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeflow.errors import ModelError
from edgeflow.train.guidance import Batch, Guidance
from edgeflow.train.soft_loss import soft_loss


def hint_losses(
    students: Sequence[Tensor], teachers: Sequence[Tensor], adapters: Sequence[nn.Module]
) -> Tensor:
    """Mean squared difference of each pair of feature maps [N, C, H, W] or [N, C]: shape [pairs].

    `adapters` take the student's map to the teacher's channels (`adapter`). The larger of two maps
    is averaged to the smaller's height and width. No gradient flows into the teacher's.
    """
    losses = []
    for student, teacher, adapt in zip(students, teachers, adapters, strict=True):
        one, other = _same_size(adapt(_as_map(student)), _as_map(teacher.detach()))
        losses.append(functional.mse_loss(one, other))
    return torch.stack(losses)


def adapter(student: Tensor, teacher: Tensor) -> nn.Module:
    """What takes the first map's channels to the second's: identity where they agree."""
    inputs, outputs = student.shape[1], teacher.shape[1]
    return nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)


def cell_maps(network: nn.Module, x: Tensor) -> list[Tensor]:
    """What each cell of a network of cells gives for x [N, C, H, W]; the last are its outputs.

    Raises ModelError for a network that is no sequence.
    """
    if not isinstance(network, nn.Sequential):
        raise ModelError(
            f"{type(network).__name__} has no cells whose feature maps could be compared",
            hint='use [distill] method = "logits", or a network of cells (nn.Sequential)',
        )
    maps = []
    for cell in network:
        x = cell(x)
        maps.append(x)
    return maps


def hint_pairs(students: Sequence[Tensor], teachers: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Indices of cells to compare: the last of each height and width that both networks have.

    Maps of 1 x 1 and the outputs are left out. Where no size agrees, the middle cells of both.
    """
    last_student, last_teacher = (
        {
            tuple(m.shape[2:]): i
            for i, m in enumerate(maps[:-1])
            if m.ndim == 4 and m[0, 0].numel() > 1
        }
        for maps in (students, teachers)
    )
    pairs = [(i, last_teacher[size]) for size, i in last_student.items() if size in last_teacher]
    return pairs or [((len(students) - 1) // 2, (len(teachers) - 1) // 2)]


def by_features(
    network: nn.Module,
    teacher: nn.Module,
    example: Tensor,
    *,
    temperature: float,
    soft_weight: float,
    feature_weight: float,
    seed: int,
) -> Guidance:
    """Train `network` towards feature maps and logits of `teacher`, both sequences of cells.

    `example` [N, C, H, W] tells the maps' shapes, `seed` the adapters' weights.
    """
    with torch.no_grad():
        students, teachings = (
            cell_maps(copy.deepcopy(n).eval(), example) for n in (network, teacher)
        )
    pairs = hint_pairs(students, teachings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapters = nn.ModuleList(adapter(students[i], teachings[j]) for i, j in pairs)

    def loss(network: nn.Module, teachers: nn.Module, companion: nn.Module, batch: Batch) -> Tensor:
        found = cell_maps(network, batch.x)
        with torch.no_grad():
            taught = cell_maps(teachers, batch.x)
        hints = hint_losses(
            [found[i] for i, _ in pairs], [taught[j] for _, j in pairs], list(companion.children())
        )
        soft = soft_loss(found[-1], taught[-1], temperature)
        hard = batch.by_targets(found[-1])
        return soft_weight * soft + (1.0 - soft_weight) * hard + feature_weight * hints.sum()

    name = f"features, T {temperature!r}, w {soft_weight!r}, v {feature_weight!r}"
    return Guidance(name, loss, teacher, adapters)


def _as_map(x: Tensor) -> Tensor:
    return x if x.ndim == 4 else x.reshape(*x.shape, 1, 1)


def _same_size(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    height, width = (min(one.shape[i], other.shape[i]) for i in (2, 3))
    return (_averaged(one, height, width), _averaged(other, height, width))


def _averaged(x: Tensor, height: int, width: int) -> Tensor:
    if tuple(x.shape[2:]) == (height, width):
        return x
    return functional.adaptive_avg_pool2d(x, (height, width))
