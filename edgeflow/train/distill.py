"""Knowledge distillation on logits (Hinton, Vinyals, Dean 2015, arXiv 1503.02531).

    L = w T^2 KL(softmax(t / T) || softmax(s / T)) + (1 - w) L_targets(s)

with the student's logits s, the teacher's t, temperature T and the soft loss's share w.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgeflow.train.folded import answers, folded
from edgeflow.train.guidance import Batch, Guidance
from edgeflow.train.soft_loss import soft_loss


def by_logits(teacher: nn.Module, *, temperature: float, soft_weight: float) -> Guidance:
    """Train towards the logits that `teacher` gives for each batch, augmented as the student's."""

    def loss(network: nn.Module, teachers: nn.Module, companion: nn.Module, batch: Batch) -> Tensor:
        outputs = network(batch.x)
        soft = soft_loss(outputs, answers(teachers, batch.x), temperature)
        return soft_weight * soft + (1.0 - soft_weight) * batch.by_targets(outputs)

    return Guidance(f"logits, T {temperature!r}, w {soft_weight!r}", loss, folded(teacher))
