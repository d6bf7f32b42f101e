"""Networks and samples that tests of growth share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeflow.data.task import Task
from edgeflow.grow.probe import Probe, probe
from edgeflow.grow.sites import Site
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    AveragePool,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    InvertedResidual,
    Logits,
    MaxPool,
    Residual,
)
from edgeflow.train.objective import OBJECTIVES

OBJECTIVE = OBJECTIVES[Task.CLASSIFICATION]
CLASSES = 3


def spec_of(*cells: AnyCell, shape: tuple[int, int, int] = (9, 8, 2)) -> NetworkSpec:
    return NetworkSpec(name="test", input_shape=shape, cells=(*cells, Logits(units=CLASSES)))


# Every way from a width that grows to what reads it.
SPECS = {
    "dense": spec_of(Dense(units=4), Dense(units=5)),
    "convolution with stride and padding": spec_of(
        Convolution(channels=3, stride=(2, 2)),
        Convolution(channels=4, kernel=(3, 5), stride=(2, 1)),
        GlobalAveragePool(),
    ),
    "convolution before a flattening": spec_of(Convolution(channels=3, kernel=(3, 1)), MaxPool()),
    "poolings": spec_of(
        Convolution(channels=3),
        MaxPool(),
        AveragePool(kernel=(2, 1), stride=(1, 1)),
        Convolution(channels=4),
        AveragePool(),
        Dense(units=4),
    ),
    "depthwise separable": spec_of(
        Convolution(channels=3),
        MaxPool(),
        DepthwiseSeparable(channels=4, stride=(2, 1)),
        DepthwiseSeparable(channels=3),
        GlobalAveragePool(),
    ),
    "residual": spec_of(
        Convolution(channels=3),
        Residual(channels=4, stride=(2, 2), squeeze_excite=True),
        Residual(channels=4, inner_channels=2),
        GlobalAveragePool(),
    ),
    "inverted residual": spec_of(
        Convolution(channels=4),
        InvertedResidual(channels=4, expansion=2),
        InvertedResidual(channels=3, expansion=2, stride=(2, 2)),
        InvertedResidual(channels=4, inner_channels=2, expansion=1, stride=(2, 2)),
        DepthwiseSeparable(channels=3),
        GlobalAveragePool(),
    ),
}


def samples(spec: NetworkSpec, count: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs with classes that depend on them, so that there is something to learn."""
    height, width, channels = spec.input_shape
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, channels, height, width, generator=generator)
    wanted = torch.randn(x[0].numel(), CLASSES, generator=torch.Generator().manual_seed(1))
    return x, (x.flatten(1) @ wanted).argmax(dim=1)


def trained_a_little(spec: NetworkSpec, seed: int = 0) -> nn.Module:
    """A network with statistics and weights that ten steps have moved, in evaluation mode."""
    network = build(spec, seed).train()
    x, y = samples(spec)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        OBJECTIVE.loss(network(x), y, 0.0).backward()
        optimizer.step()
    return network.eval()


def probe_of(spec: NetworkSpec, network: nn.Module, site: Site) -> Probe:
    return probe(spec, network, site, *samples(spec), OBJECTIVE)
