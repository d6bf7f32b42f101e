from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import Tensor

from edgeflow.data.dataset import Split
from edgeflow.data.task import Task
from edgeflow.nets.layout import network_input
from edgeflow.train.objective import OBJECTIVES


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def targets_of(task: Task, samples: int) -> Tensor:
    if task is Task.CLASSIFICATION:
        return torch.arange(samples) % 4
    return values(samples, 4, seed=7)


def test_every_task_has_an_objective() -> None:
    assert set(OBJECTIVES) == set(Task)


@pytest.mark.parametrize("task", Task)
def test_the_loss_of_many_networks_at_once_is_that_of_each(task: Task) -> None:
    outputs, targets = values(3, 8, 4), targets_of(task, 8)
    loss = OBJECTIVES[task].loss
    together = torch.func.vmap(lambda y: loss(y, targets, 0.1))(outputs)
    apart = torch.stack([loss(y, targets, 0.1) for y in outputs])
    assert torch.allclose(together, apart)


@pytest.mark.parametrize("task", Task)
def test_the_gradient_of_the_distance_reaches_the_student_alone(task: Task) -> None:
    student, teacher = values(8, 4).requires_grad_(), values(8, 4, seed=1).requires_grad_()
    distance = OBJECTIVES[task].distance
    distance(student, teacher, 4.0).backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None
    assert distance(student, student.detach(), 4.0).item() == pytest.approx(0.0, abs=1e-6)


def test_classes_may_be_mixed() -> None:
    """Mixup: the loss of mixed targets is the mix of the losses."""
    outputs, loss = values(6, 4), OBJECTIVES[Task.CLASSIFICATION].loss
    one, other = torch.arange(6) % 4, (torch.arange(6) + 1) % 4
    mixed = 0.3 * torch.eye(4)[one] + 0.7 * torch.eye(4)[other]
    wanted = 0.3 * loss(outputs, one, 0.0) + 0.7 * loss(outputs, other, 0.0)
    assert loss(outputs, mixed, 0.0).item() == pytest.approx(wanted.item(), rel=1e-6)


def test_r2_of_regression_is_the_mean_over_columns() -> None:
    targets = values(50, 3) * torch.tensor([1.0, 5.0, 0.2]) + 2.0
    outputs = targets + values(50, 3, seed=1) * 0.3
    wanted = r2_score(targets.numpy(), outputs.numpy())
    assert OBJECTIVES[Task.REGRESSION].score(outputs, targets) == pytest.approx(wanted, rel=1e-5)


def test_r2_of_rebuilt_inputs_weighs_elements_by_their_variance() -> None:
    targets = values(50, 3) * torch.tensor([1.0, 5.0, 0.2])
    targets[:, 2] = 0.5  # an element that never changes counts for nothing
    outputs = targets + values(50, 3, seed=1) * torch.tensor([0.3, 0.3, 0.0])
    wanted = r2_score(targets.numpy(), outputs.numpy(), multioutput="variance_weighted")
    assert OBJECTIVES[Task.ANOMALY].score(outputs, targets) == pytest.approx(wanted, rel=1e-5)


def test_a_lower_mean_square_is_a_higher_score() -> None:
    for task in (Task.REGRESSION, Task.ANOMALY):
        objective, targets = OBJECTIVES[task], values(30, 3)
        near, far = targets + 0.1, targets + 0.2
        assert objective.loss(near, targets, 0.0) < objective.loss(far, targets, 0.0)
        assert objective.score(near, targets) > objective.score(far, targets)


def test_targets_of_an_autoencoder_are_in_the_order_of_the_samples() -> None:
    samples = np.arange(2 * 3 * 4 * 2, dtype=np.float32).reshape(2, 3, 4, 2)
    objective = OBJECTIVES[Task.ANOMALY]
    targets = objective.targets(Split(samples, None), network_input(samples))
    assert np.array_equal(targets.numpy(), samples.reshape(2, -1))
    assert objective.rebuilds_input


def test_targets_of_regression_are_the_quantities() -> None:
    y = np.array([[0.5], [-1.0]], dtype=np.float32)
    split = Split(np.zeros((2, 1, 1, 3), dtype=np.float32), y)
    targets = OBJECTIVES[Task.REGRESSION].targets(split, network_input(split.x))
    assert targets.dtype == torch.float32
    assert np.array_equal(targets.numpy(), y)
