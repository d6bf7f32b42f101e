"""Specifications drawn by hypothesis, and weights as training could have left them."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from edgeflow.errors import ModelError
from edgeflow.nets.network import NetworkSpec
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

_sizes = st.integers(1, 6)
_strides = st.tuples(st.integers(1, 2), st.integers(1, 2))
_kernels = st.sampled_from([(1, 1), (3, 3), (3, 1)])
_bodies = st.lists(
    st.one_of(
        st.builds(Convolution, channels=_sizes, kernel=_kernels, stride=_strides),
        st.builds(DepthwiseSeparable, channels=_sizes, kernel=_kernels, stride=_strides),
        st.builds(Residual, channels=_sizes, kernel=_kernels, stride=_strides),
        st.builds(InvertedResidual, channels=_sizes, expansion=_sizes, kernel=_kernels),
        st.sampled_from([MaxPool(kernel=(1, 2), stride=(1, 2)), AveragePool(kernel=(2, 1))]),
    ),
    min_size=1,
    max_size=3,
)
_heads = st.sampled_from(
    [(), (GlobalAveragePool(),), (Dense(units=5),), (GlobalAveragePool(), Dense(units=3))]
)


def spec_of(*cells: AnyCell, shape: tuple[int, int, int] = (8, 6, 2)) -> NetworkSpec:
    return NetworkSpec(name="test", input_shape=shape, cells=(*cells, Logits(units=4)))


def _spec_if_it_fits(cells: tuple[AnyCell, ...]) -> NetworkSpec | None:
    try:
        return spec_of(*cells)
    except ModelError:
        return None


network_specs = (
    st.tuples(_bodies, _heads)
    .map(lambda parts: _spec_if_it_fits((*parts[0], *parts[1])))
    .filter(lambda spec: spec is not None)
)


def as_if_trained(network: nn.Module, seed: int, shift: float) -> nn.Module:
    """Random normalizations whose outputs lie around `shift`; a tenth of the scales are 0."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return torch.rand(like.shape, generator=generator) * (high - low) + low

    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean = uniform(module.running_mean, -3.0, 3.0)
            module.running_var = uniform(module.running_var, 0.01, 9.0)
            scale = uniform(module.weight, -0.2, 1.8)
            module.weight.data = torch.where(scale < 0, 0.0, scale)
            module.bias.data = uniform(module.bias, shift - 1.0, shift + 1.0)
    return network.eval()


def batch(spec: NetworkSpec, count: int, seed: int, spread: float = 1.0) -> Tensor:
    height, width, channels = spec.input_shape
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(count, channels, height, width, generator=generator)
