from __future__ import annotations

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from edgeflow.train.options import Schedule
from edgeflow.train.schedule import learning_rate, momentum


def reference(schedule: Schedule, steps: int) -> list[tuple[float, float]]:
    """Rate and momentum at every step as torch's own schedules give them."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    given = (
        CosineAnnealingLR(optimizer, T_max=steps)
        if schedule is Schedule.COSINE
        else OneCycleLR(optimizer, max_lr=0.3, total_steps=steps)
    )
    values = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        values.append((group["lr"], group["betas"][0]))
        optimizer.step()
        given.step() if len(values) < steps else None
    return values


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("steps", [2, 3, 7, 100, 1237])
def test_schedules_are_those_of_torch(schedule: Schedule, steps: int) -> None:
    ours = [
        (learning_rate(schedule, 0.3, step, steps), momentum(schedule, step, steps))
        for step in range(steps)
    ]
    assert ours == [pytest.approx(pair, rel=1e-9, abs=1e-12) for pair in reference(schedule, steps)]


def test_a_single_step_has_a_rate() -> None:
    assert learning_rate(Schedule.ONE_CYCLE, 0.3, 0, 1) > 0
    assert learning_rate(Schedule.COSINE, 0.3, 0, 1) == 0.3
