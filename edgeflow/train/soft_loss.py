"""The loss of knowledge distillation on logits (Hinton, Vinyals, Dean 2015, arXiv 1503.02531)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened outputs [N, classes], mean over samples.

    Multiplied by temperature squared, so that gradients keep their size at any temperature (section
    2 of the paper). No gradient flows into `teacher`.
    """
    divergence = functional.kl_div(
        functional.log_softmax(student / temperature, dim=1),
        functional.log_softmax(teacher.detach() / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2


def distillation_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, *, temperature: float, soft_weight: float
) -> Tensor:
    """`soft_weight` of the soft loss, the rest (1 - soft_weight) cross-entropy with the labels."""
    hard = functional.cross_entropy(student, labels)
    return soft_weight * soft_loss(student, teacher, temperature) + (1.0 - soft_weight) * hard
