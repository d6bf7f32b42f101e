"""What a training follows beside the targets of its samples, such as a teacher."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from edgeflow.train.batches import for_convolutions

TargetLoss = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Batch:
    """What a loss may look at: `x` [N, C, H, W] as it is augmented, and the targets' loss.

    `by_targets(outputs)` is the objective's loss of outputs [N, outputs] with the batch's targets.
    """

    x: Tensor
    by_targets: TargetLoss


@dataclass(frozen=True, eq=False)
class Guidance:
    """The loss of a batch, who teaches, and what learns along.

    `loss(network, teachers, companion, batch)` runs the network and gives what training lowers.
    `teachers` are left as they are. `companion` is trained beside the network, by the same
    optimizer (adapters, a peer): `fit` trains a copy of it and drops it at the end. `name` says
    which loss it is, with its numbers: two guidances that differ have different names, teachers or
    companions.
    """

    name: str
    loss: Callable[[nn.Module, nn.Module, nn.Module, Batch], Tensor]
    teachers: nn.Module = field(default_factory=nn.Module)
    companion: nn.Module = field(default_factory=nn.Module)

    def of_batch(self, network: nn.Module, x: Tensor, by_targets: TargetLoss) -> Tensor:
        """The loss of a batch; a scalar."""
        return self.loss(network, self.teachers, self.companion, Batch(x, by_targets))


def on_device(guidance: Guidance, device: torch.device) -> Guidance:
    """The same with copies of its modules on `device`, teachers in evaluation mode."""
    return Guidance(
        guidance.name,
        guidance.loss,
        for_convolutions(copy.deepcopy(guidance.teachers).to(device)).eval(),
        for_convolutions(copy.deepcopy(guidance.companion).to(device)).train(),
    )


def _by_targets(network: nn.Module, teachers: nn.Module, companion: nn.Module, b: Batch) -> Tensor:
    return b.by_targets(network(b.x))


BY_TARGETS = Guidance("targets", _by_targets)
