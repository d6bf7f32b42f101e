"""What growth measures at a site: inputs, pre-activations and the update that the loss asks for.

Samples go through a float64 copy of the network, in evaluation mode, in batches small enough that
unfolded inputs stay below a fixed size. Sums over batches are kept, and what layers read and give
where that is small.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from edgeflow.errors import ModelError
from edgeflow.grow.wiring import Consumer, Site, Wiring, carried, carried_linearly, wiring
from edgeflow.nets.network import NetworkSpec
from edgeflow.train.objective import Objective

_ELEMENTS = 2**22  # of a batch's unfolded inputs: 32 MiB in float64
_KEPT_ELEMENTS = 2**24  # of readings that stay for further passes: 128 MiB


@dataclass(frozen=True, eq=False)
class Reading:
    """A consumer over one batch: what it reads, what it gives, and V = -dL/da for each sample.

    `inputs` [N, C, H, W] ([N, features, 1, 1] of a linear layer), `outputs` and `desired`
    [N, outputs, H', W'].
    """

    inputs: Tensor
    outputs: Tensor
    desired: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """The producer's input [N, C, H, W] (of a linear layer [N, features, 1, 1]), and readings."""

    producer_inputs: Tensor
    readings: tuple[Reading, ...]

    @property
    def elements(self) -> int:
        """Numbers that it holds."""
        held = [t.numel() for r in self.readings for t in (r.inputs, r.outputs, r.desired)]
        return self.producer_inputs.numel() + sum(held)


@dataclass(frozen=True, eq=False)
class Passing:
    """New neurons on a batch: <incoming, input>, what arrives behind poolings, what is read.

    `arrived` is before the activation of a depthwise layer in between, `read` behind it.
    [N, K, H, W] and twice [N, K, H', W'].
    """

    response: Tensor
    arrived: Tensor
    read: Tensor


@dataclass(frozen=True, eq=False)
class Probe:
    """A site of a network with the samples to measure it on; `dtype` is the network's own.

    `kept` are the readings of all samples once they were made, where they are small enough.
    """

    spec: NetworkSpec
    site: Site
    wires: Wiring
    network: nn.Module
    x: Tensor
    targets: Tensor
    objective: Objective
    dtype: torch.dtype
    kept: list[Batch] = field(default_factory=list)

    @property
    def producer(self) -> nn.Conv2d | nn.Linear:
        """The layer that gets new outputs."""
        return _layer(self.network, self.wires.producer)

    @property
    def consumers(self) -> tuple[nn.Conv2d | nn.Linear, ...]:
        """The layers that get new inputs."""
        return tuple(_layer(self.network, c.layer) for c in self.wires.consumers)

    @property
    def arriving(self) -> tuple[int, int]:
        """Height and width of a new channel as the consumers read it."""
        batch = _batch(self, self.x[:1], self.targets[:1])
        height, width = self.carried_linearly(self.previous(batch)).shape[2:]
        return height, width

    def batches(self) -> Iterator[Batch]:
        """All samples in order."""
        if self.kept:
            yield from self.kept
            return
        step = self._batch_size()
        seen: list[Batch] = []
        for x, targets in zip(self.x.split(step), self.targets.split(step), strict=True):
            batch = _batch(self, x, targets)
            if not seen or batch.elements * len(self.x) <= _KEPT_ELEMENTS * len(x):
                seen.append(batch)
            yield batch
        if sum(len(batch.producer_inputs) for batch in seen) == len(self.x):
            self.kept.extend(seen)

    def _batch_size(self) -> int:
        heights = [s[0] * s[1] * s[2] for s in self.spec.shapes()]
        largest = max(heights) * max(_taps(layer) for layer in (self.producer, *self.consumers))
        return max(1, min(256, _ELEMENTS // largest))

    def passing(self, incoming: Tensor, bias: Tensor, batch: Batch) -> Passing:
        """New neurons on a batch; `incoming` is [K, features], `bias` [K]."""
        response = self._respond(incoming, batch)
        active = self.wires.activation(response + bias[None, :, None, None])
        arrived = carried(self.network, self.wires, active)
        return Passing(response, arrived, self.wires.depthwise_activation(arrived))

    def _respond(self, incoming: Tensor, batch: Batch) -> Tensor:
        x, layer = batch.producer_inputs, self.producer
        if isinstance(layer, nn.Linear):
            return functional.linear(x.flatten(1), incoming)[:, :, None, None]
        weight = incoming.reshape(-1, *layer.weight.shape[1:])
        return functional.conv2d(x, weight, None, layer.stride, layer.padding)

    def previous(self, batch: Batch) -> Tensor:
        """B_prev, the producer's unfolded input and a one: [N, features + 1, H, W]."""
        layer, x = self.producer, batch.producer_inputs
        unfolded = x if isinstance(layer, nn.Linear) else unfolded_inputs(layer, x)
        return torch.cat([unfolded, torch.ones_like(unfolded[:, :1])], dim=1)

    def carried_linearly(self, previous: Tensor) -> Tensor:
        """B_prev [N, features + 1, H, W] as the consumers would read it without activations."""
        return carried_linearly(self.network, self.wires, previous)


def probe(
    spec: NetworkSpec,
    network: nn.Module,
    site: Site,
    x: Tensor,
    targets: Tensor,
    objective: Objective,
) -> Probe:
    """A probe of `site` on samples x [N, C, H, W]. Raises ModelError where it cannot grow."""
    wires = wiring(spec, site)
    if wires is None:
        raise ModelError(
            f"the {site.width} width of cell {site.cell} cannot grow",
            hint="use a site that sites(spec) lists",
        )
    double = copy.deepcopy(network).double().eval().requires_grad_(False)
    exact = targets.double() if targets.is_floating_point() else targets
    dtype = next(network.parameters()).dtype
    return Probe(spec, site, wires, double, x.double(), exact, objective, dtype)


def unfolded_inputs(layer: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    """What each output of `layer` reads: [N, features, H, W], H x W being its outputs."""
    if isinstance(layer, nn.Linear):
        return x.flatten(1)[:, :, None, None]
    kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
    assert not isinstance(padding, str)
    height, width = ((x.shape[2 + i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in (0, 1))
    patches = functional.unfold(x, kernel, 1, padding, stride)
    return patches.reshape(x.shape[0], -1, height, width)


def correlation(layer: nn.Conv2d | nn.Linear, channels: Tensor, desired: Tensor) -> Tensor:
    """Sum over samples and positions of desired times what `layer` reads of new channels.

    channels [N, K, H, W], desired [N, outputs, H', W']; gives [outputs, K, height, width]: minus
    the gradient of the loss at outgoing weights.
    """
    if isinstance(layer, nn.Linear):
        return torch.einsum("no,nkhw->okhw", desired.flatten(1), channels)
    size = (desired.shape[1], channels.shape[1], *layer.kernel_size)
    return conv2d_weight(channels, size, desired, layer.stride, layer.padding)


def contribution(layer: nn.Conv2d | nn.Linear, channels: Tensor, outgoing: Tensor) -> Tensor:
    """What new channels [N, K, H, W] add to what `layer` gives: [N, outputs, H', W']."""
    if isinstance(layer, nn.Linear):
        return torch.einsum("okhw,nkhw->no", outgoing, channels)[:, :, None, None]
    return functional.conv2d(channels, outgoing, None, layer.stride, layer.padding)


def _taps(layer: nn.Conv2d | nn.Linear) -> int:
    return layer.weight[0, 0].numel()


def _layer(network: nn.Module, path: str) -> nn.Conv2d | nn.Linear:
    layer = network.get_submodule(path)
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    return layer


def _batch(at: Probe, x: Tensor, targets: Tensor) -> Batch:
    seen: dict[str, Tensor] = {}

    def see_producer(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen["producer"] = inputs[0].detach()

    handles = [at.producer.register_forward_pre_hook(see_producer)]
    for consumer in at.wires.consumers:
        handles.append(_watch(at.network, consumer, seen))
    try:
        with torch.enable_grad():
            loss = at.objective.loss(at.network(x), targets, 0.0) * len(x)
            outputs = [seen[c.layer + " outputs"] for c in at.wires.consumers]
            gradients = torch.autograd.grad(loss, outputs)
    finally:
        for handle in handles:
            handle.remove()
    readings = tuple(
        Reading(
            _square(seen[c.layer + " inputs"]), _square(out.detach()), _square(-gradient.detach())
        )
        for c, out, gradient in zip(at.wires.consumers, outputs, gradients, strict=True)
    )
    return Batch(_square(seen["producer"]), readings)


def _watch(
    network: nn.Module, consumer: Consumer, seen: dict[str, Tensor]
) -> torch.utils.hooks.RemovableHandle:
    def see(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        seen[consumer.layer + " inputs"] = inputs[0].detach()
        leaf = output.detach().requires_grad_()
        seen[consumer.layer + " outputs"] = leaf
        return leaf

    return network.get_submodule(consumer.layer).register_forward_hook(see)


def _square(x: Tensor) -> Tensor:
    return x if x.ndim == 4 else x[:, :, None, None]
