"""Surgery: a wider module with the old weights and new neurons in place."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from edgeflow.grow.sites import Site, widened
from edgeflow.grow.wiring import Wiring, wiring
from edgeflow.nets.network import NetworkSpec, build


@dataclass(frozen=True, eq=False)
class Neurons:
    """K new neurons of a site.

    A neuron's pre-activation is `scale` * <incoming, input> + `bias`. `incoming` [K, ...] has the
    form of the producer's weight; `mean` and `variance` [K] are those of <incoming, input> over
    samples and positions, `passing_mean` and `passing_variance` those of what goes through a
    depthwise layer behind (absent without one). `outgoing` holds for each consumer weights
    [outputs, K, height, width], height x width being the kernel, or all of the input before a
    linear layer.
    """

    incoming: Tensor
    scale: Tensor
    bias: Tensor
    mean: Tensor
    variance: Tensor
    outgoing: tuple[Tensor, ...]
    passing_mean: Tensor | None = None
    passing_variance: Tensor | None = None

    @property
    def count(self) -> int:
        """K."""
        return self.incoming.shape[0]

    def times(self, amplitude: float) -> Neurons:
        """The same neurons with their outgoing weights times `amplitude`."""
        return replace(self, outgoing=tuple(w * amplitude for w in self.outgoing))


def widen(
    spec: NetworkSpec, network: nn.Module, site: Site, neurons: Neurons
) -> tuple[NetworkSpec, nn.Module]:
    """The widened specification and a new module of it; `network` stays as it is.

    In evaluation mode a new channel's pre-activation is exactly what `neurons` says, and in
    training mode about that: the new batch normalization holds the measured mean and variance, and
    gamma and beta undo them. Raises ModelError where the site cannot grow.
    """
    wider = widened(spec, site, neurons.count)
    wires = wiring(spec, site)
    assert wires is not None
    like = next(network.parameters())
    grown = build(wider, seed=0).to(device=like.device, dtype=like.dtype)
    with torch.no_grad():
        _transplant(network, grown)
        _put_incoming(grown, wires, neurons)
        _put_outgoing(grown, wires, neurons)
    grown.train(network.training)
    return wider, grown


def _transplant(old: nn.Module, new: nn.Module) -> None:
    """Old values lead along every axis; channels are the slowest axis of a flattened input too."""
    values = old.state_dict()
    for name, tensor in new.state_dict().items():
        tensor[tuple(slice(0, size) for size in values[name].shape)] = values[name]


def _put_incoming(grown: nn.Module, wires: Wiring, neurons: Neurons) -> None:
    count = neurons.count
    _layer(grown, wires.producer).weight[-count:] = neurons.incoming
    _undo_norm(grown, wires.producer_norm, neurons.mean, neurons.variance, neurons)
    if wires.depthwise is None or wires.depthwise_norm is None:
        return
    assert neurons.passing_mean is not None
    assert neurons.passing_variance is not None
    layer = _layer(grown, wires.depthwise)
    layer.weight[-count:] = 0.0
    assert isinstance(layer, nn.Conv2d)
    row, column = (int(p) for p in layer.padding)  # the tap that lies on the element itself
    layer.weight[-count:, :, row, column] = 1.0
    _undo_norm(grown, wires.depthwise_norm, neurons.passing_mean, neurons.passing_variance, None)


def _undo_norm(
    grown: nn.Module, path: str, mean: Tensor, variance: Tensor, neurons: Neurons | None
) -> None:
    """New channels of a batch normalization give `scale` * input + `bias` (or the input)."""
    norm, count = _norm(grown, path), len(mean)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.ones_like(mean) if neurons is None else neurons.scale
    bias = torch.zeros_like(mean) if neurons is None else neurons.bias
    norm.running_mean[-count:] = mean
    norm.running_var[-count:] = variance
    norm.weight[-count:] = scale * torch.sqrt(variance + norm.eps)
    norm.bias[-count:] = bias + scale * mean


def _put_outgoing(grown: nn.Module, wires: Wiring, neurons: Neurons) -> None:
    for consumer, outgoing in zip(wires.consumers, neurons.outgoing, strict=True):
        weight = _layer(grown, consumer.layer).weight
        new = outgoing if weight.ndim == 4 else outgoing.flatten(1)
        weight[:, -new.shape[1] :] = new


def _layer(network: nn.Module, path: str) -> nn.Conv2d | nn.Linear:
    layer = network.get_submodule(path)
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    return layer


def _norm(network: nn.Module, path: str) -> nn.BatchNorm1d | nn.BatchNorm2d:
    norm = network.get_submodule(path)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    return norm


def changed(
    network: nn.Module, spec: NetworkSpec, site: Site, change: tuple[Tensor, ...]
) -> nn.Module:
    """A copy whose consumers of `site` have other weights: `change` [outputs, inputs + 1] is added.

    Columns are the layer's flattened inputs and, last, a constant. That goes into the layer's bias
    or, behind the layer, into beta of its batch normalization.
    """
    wires = wiring(spec, site)
    assert wires is not None
    network = copy.deepcopy(network)
    with torch.no_grad():
        for consumer, added in zip(wires.consumers, change, strict=True):
            layer = _layer(network, consumer.layer)
            layer.weight += added[:, :-1].reshape(layer.weight.shape)
            if consumer.norm is None:
                assert layer.bias is not None
                layer.bias += added[:, -1]
            else:
                norm = _norm(network, consumer.norm)
                assert norm.running_var is not None
                deviation = torch.sqrt(norm.running_var + norm.eps)
                norm.bias.add_(norm.weight / deviation * added[:, -1])
    return network


def renormalized(network: nn.Module, site: Site, x: Tensor) -> nn.Module:
    """A copy whose norms from the cell of `site` on hold the statistics of samples x [N, C, H, W].

    gamma and beta follow, so that evaluation mode gives the same function, and training mode about
    that: with the old statistics it would take back what the site's growth has just gained.
    """
    network = copy.deepcopy(network)
    norms = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        and int(name.split(".")[0]) >= site.cell
    }
    statistics = _input_statistics(network, norms, x)
    with torch.no_grad():
        for name, norm in norms.items():
            mean, variance = statistics[name]
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            norm.bias.add_(scale * (mean - norm.running_mean))
            norm.weight.copy_(scale * torch.sqrt(variance + norm.eps))
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
    return network


def _input_statistics(
    network: nn.Module, modules: Mapping[str, nn.Module], x: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and variance of each channel that a module reads in evaluation mode, in float64."""
    seen: dict[str, list[Tensor]] = {name: [] for name in modules}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            values = inputs[0].double().transpose(0, 1).flatten(1)
            count = torch.full_like(values[:, 0], values.shape[1])
            seen[name].append(torch.stack([count, values.sum(1), values.square().sum(1)]))

        return see

    training = network.training
    network.eval()
    handles = [m.register_forward_pre_hook(watch(name)) for name, m in modules.items()]
    with torch.no_grad():
        for batch in x.split(256):
            network(batch)
    for handle in handles:
        handle.remove()
    network.train(training)
    found = {}
    for name, parts in seen.items():
        count, total, squares = torch.stack(parts).sum(0)
        mean = total / count
        found[name] = (mean, (squares / count - mean.square()).clamp_min(0.0))
    return found
