"""Random convolution and pooling windows keep their place from torch to the integer graph."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from edgeflow.lower.export import lower
from edgeflow.quantize.grids import calibrate
from edgeflow.quantize.trace import trace
from tests.lower.integer_runs import integer_output, parameters

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.tuples(st.integers(0, 2), st.integers(0, 2))
areas = st.tuples(st.integers(3, 9), st.integers(3, 9))


def require_agreement(network: nn.Module, x: torch.Tensor) -> None:
    calibrated = calibrate(trace(network, x), x)
    graph = lower(calibrated, x.numpy())
    with torch.no_grad():
        expected = calibrated(x).numpy()
    difference = np.abs(integer_output(graph, x) - expected)
    assert difference.max() <= 1.01 * parameters(graph, graph.outputs[0]).scales[0]


def inputs(channels: int, area: tuple[int, int], seed: int) -> torch.Tensor:
    return torch.randn(4, channels, *area, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    area=areas,
    kernel=pairs,
    stride=pairs,
    padding=paddings,
    dilation=pairs,
    channels=st.integers(1, 3),
    multiplier=st.integers(1, 3),
    depthwise=st.booleans(),
    seed=st.integers(0, 99),
)
def test_convolutions(
    area: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    channels: int,
    multiplier: int,
    depthwise: bool,
    seed: int,
) -> None:
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    assume(all(a + 2 * p >= e for a, p, e in zip(area, padding, extents, strict=True)))
    groups = channels if depthwise else 1
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = nn.Conv2d(
            channels, channels * multiplier, kernel, stride, padding, dilation, groups
        )
    require_agreement(layer.eval(), inputs(channels, area, seed))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    area=areas,
    kernel=pairs,
    stride=pairs,
    padding=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    ceil_mode=st.booleans(),
    largest=st.booleans(),
    counted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_pools(
    area: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    ceil_mode: bool,
    largest: bool,
    counted: bool,
    seed: int,
) -> None:
    assume(all(2 * p <= k for k, p in zip(kernel, padding, strict=True)))
    assume(largest or not (counted and ceil_mode and any(padding)))
    pool: nn.Module = (
        nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode)
        if largest
        else nn.AvgPool2d(kernel, stride, padding, ceil_mode, counted)
    )
    require_agreement(pool, inputs(2, area, seed))
