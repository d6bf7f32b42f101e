from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from edgeflow.train.soft_loss import distillation_loss, soft_loss


def outputs(seed: int) -> torch.Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_soft_loss_is_the_divergence_of_softened_outputs() -> None:
    student, teacher, temperature = outputs(0), outputs(1), 3.0
    p = torch.softmax(teacher / temperature, dim=1)
    q = torch.softmax(student / temperature, dim=1)
    wanted = (p * (p / q).log()).sum(dim=1).mean() * temperature**2
    assert soft_loss(student, teacher, temperature).item() == pytest.approx(wanted.item())


def test_equal_outputs_cost_nothing() -> None:
    assert soft_loss(outputs(0), outputs(0) + 7.0, 4.0).item() == pytest.approx(0.0, abs=1e-12)


def test_high_temperature_matches_centred_logits() -> None:
    """Hinton et al. 2015, section 2.1: the gradient tends to the difference of logits over N."""
    student, teacher = outputs(0).requires_grad_(), outputs(1)
    soft_loss(student, teacher, 1000.0).backward()
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    assert student.grad is not None
    torch.testing.assert_close(student.grad * 6, centred.detach() / 5, atol=1e-3, rtol=1e-2)


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = outputs(0).requires_grad_(), outputs(1).requires_grad_()
    soft_loss(student, teacher, 2.0).backward()
    assert teacher.grad is None


def test_weight_goes_from_labels_to_teacher() -> None:
    student, teacher, labels = outputs(0), outputs(1), torch.tensor([0, 1, 2, 3, 4, 0])
    hard = functional.cross_entropy(student, labels)
    for weight, wanted in ((0.0, hard), (1.0, soft_loss(student, teacher, 2.0))):
        found = distillation_loss(student, teacher, labels, temperature=2.0, soft_weight=weight)
        assert found.item() == pytest.approx(wanted.item())
