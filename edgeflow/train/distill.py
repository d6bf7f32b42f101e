"""Knowledge distillation on logits (Hinton, Vinyals, Dean 2015, arXiv 1503.02531).

    L = w T^2 KL(softmax(t / T) || softmax(s / T)) + (1 - w) L_targets(s)

with the student's logits s, the teacher's t, temperature T and the soft loss's share w.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeflow.train.guidance import Batch, Guidance


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


def by_logits(teacher: nn.Module, *, temperature: float, soft_weight: float) -> Guidance:
    """Train towards the logits that `teacher` gives for each batch, augmented as the student's."""

    def loss(network: nn.Module, teachers: nn.Module, companion: nn.Module, batch: Batch) -> Tensor:
        outputs = network(batch.x)
        with torch.no_grad():
            taught = teachers(batch.x)
        soft = soft_loss(outputs, taught, temperature)
        return soft_weight * soft + (1.0 - soft_weight) * batch.by_targets(outputs)

    return Guidance(f"logits, T {temperature!r}, w {soft_weight!r}", loss, teacher)
