"""Networks of equal structure as one: every parameter stacked, one forward pass for all.

The program is `torch.func.vmap` of `functional_call` over stacked parameters and buffers. vmap
makes one convolution of K networks' convolutions (K times the groups), one batched matrix product
of their fully connected layers, and one batch normalization over K times the channels, which keeps
statistics for each network on its own. Samples lie so that this needs no copy: networks are further
channels, [N, K, C, H, W] strided as [N, H, W, K, C].
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap


@dataclass(frozen=True, eq=False)
class Stack:
    """K networks: `values` [K, P] are all parameters in a row, `buffers` [K, ...] by name.

    `structure` has the modules without values; `shapes` are those of one network's parameters, in
    the order of the row. Training changes `values` and `buffers` in place.
    """

    structure: nn.Module
    shapes: Mapping[str, torch.Size]
    values: Tensor
    buffers: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.values)


class _Mean(nn.Module):
    """Mean over height and width: vmap has no rule for adaptive pooling and would loop."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


def same_structure(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks differ in values only, as far as their modules' descriptions tell."""
    states = one.state_dict(), other.state_dict()
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    return repr(one) == repr(other) and shapes[0] == shapes[1]


def can_stack(network: nn.Module, input_shape_hwc: tuple[int, int, int]) -> bool:
    """Whether copies of a network run as one, and all that they have is trained."""
    height, width, channels = input_shape_hwc
    if not all(parameter.requires_grad for parameter in network.parameters()):
        return False
    try:
        pair = stack([network, network], torch.device("cpu"))
        with torch.no_grad():
            forward(
                pair, side_by_side([torch.zeros(2, channels, height, width)] * 2), training=True
            )
    except Exception:  # whatever a user's module raises under vmap
        return False
    return True


def stack(networks: Sequence[nn.Module], device: torch.device) -> Stack:
    """Copies of networks of the same structure (`same_structure`), at least one."""
    shapes = {name: value.shape for name, value in networks[0].named_parameters()}
    rows = [
        torch.cat([value.detach().reshape(-1) for value in network.parameters()])
        for network in networks
    ]
    buffers = [dict(network.named_buffers()) for network in networks]
    return Stack(
        structure=_without_values(networks[0]),
        shapes=shapes,
        values=torch.stack(rows).to(device).requires_grad_(),
        buffers={
            name: torch.stack([b[name].detach() for b in buffers]).to(device) for name in buffers[0]
        },
    )


def side_by_side(batches: Sequence[Tensor]) -> Tensor:
    """K batches [N, C, H, W] as [N, K, C, H, W], strided as `forward` is fastest with."""
    return torch.stack([x.permute(0, 2, 3, 1) for x in batches], dim=3).permute(0, 3, 4, 1, 2)


def forward(networks: Stack, x: Tensor, *, training: bool) -> Tensor:
    """Outputs [K, N, outputs]: of x [N, K, C, H, W], each network its own, or [N, C, H, W] for all.

    In training, batch normalization takes each network's own batch and moves its running
    statistics.
    """
    parts = networks.values.split([shape.numel() for shape in networks.shapes.values()], dim=1)
    named = zip(networks.shapes.items(), parts, strict=True)
    parameters = {
        name: part.unflatten(1, shape) if shape else part[:, 0] for (name, shape), part in named
    }
    structure = networks.structure.train(training)

    def one(own: dict[str, Tensor], buffers: dict[str, Tensor], sample: Tensor) -> Tensor:
        outputs: Tensor = functional_call(structure, (own, buffers), (sample,))
        return outputs

    along = 1 if x.ndim == 5 else None
    outputs: Tensor = vmap(one, in_dims=(0, 0, along), randomness="different")(
        parameters, dict(networks.buffers), x
    )
    return outputs


def state_of(networks: Stack, index: int) -> dict[str, Tensor]:
    """A copy of one network's state on the CPU, as its own `state_dict` has it."""
    row = networks.values[index].detach().cpu()
    parts = row.split([shape.numel() for shape in networks.shapes.values()])
    named = zip(networks.shapes.items(), parts, strict=True)
    state = {name: part.reshape(shape).clone() for (name, shape), part in named}
    persistent = networks.structure.state_dict().keys()
    kept = {name: value for name, value in networks.buffers.items() if name in persistent}
    return state | {name: value[index].detach().cpu().clone() for name, value in kept.items()}


def _without_values(network: nn.Module) -> nn.Module:
    structure = copy.deepcopy(network).to("meta")
    for parent in list(structure.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.AdaptiveAvgPool2d) and child.output_size in (1, (1, 1)):
                setattr(parent, name, _Mean())
    return structure
