from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edgeflow.errors import ModelError
from edgeflow.nets.network import NetworkSpec, build
from edgeflow.nets.specs import (
    AnyCell,
    AveragePool,
    Bottleneck,
    CellSpec,
    Convolution,
    Dense,
    DepthwiseSeparable,
    GlobalAveragePool,
    GroupedConvolution,
    InvertedResidual,
    Logits,
    MaxPool,
    Residual,
    same_padding,
)

odd_kernels = st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5]))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
channels = st.integers(1, 12)
cells = st.one_of(
    st.builds(Convolution, channels=channels, kernel=odd_kernels, stride=strides),
    st.builds(
        DepthwiseSeparable,
        channels=channels,
        kernel=odd_kernels,
        stride=strides,
        squeeze_excite=st.booleans(),
    ),
    st.builds(
        InvertedResidual,
        channels=channels,
        kernel=odd_kernels,
        stride=strides,
        expansion=st.integers(1, 4),
        squeeze_excite=st.booleans(),
    ),
    st.builds(
        Residual,
        channels=channels,
        kernel=odd_kernels,
        stride=strides,
        squeeze_excite=st.booleans(),
    ),
    st.builds(
        Bottleneck, channels=channels, inner_channels=channels, kernel=odd_kernels, stride=strides
    ),
    st.builds(MaxPool),
    st.builds(AveragePool),
)
shapes = st.tuples(st.integers(4, 20), st.integers(4, 20), st.integers(1, 5))
EVERY_CELL = (
    Convolution(channels=8, kernel=(4, 4), stride=(2, 2)),
    DepthwiseSeparable(channels=8, squeeze_excite=True),
    InvertedResidual(channels=8, squeeze_excite=True),
    InvertedResidual(channels=12, expansion=1, stride=(2, 2)),
    InvertedResidual(channels=12, inner_channels=20),
    Residual(channels=12, squeeze_excite=True),
    Residual(channels=12, inner_channels=5),
    Residual(channels=16),
    Bottleneck(channels=16, inner_channels=4),
    Bottleneck(channels=24, inner_channels=8, kernel=(5, 3)),
    MaxPool(),
    AveragePool(kernel=(2, 1), stride=(1, 1)),
    GlobalAveragePool(),
    Dense(units=6),
    Logits(units=3),
)


@settings(max_examples=60, deadline=None)
@given(shape=shapes, chosen=st.lists(cells, min_size=1, max_size=3))
def test_modules_give_the_shapes_that_the_specification_states(
    shape: tuple[int, int, int], chosen: list[CellSpec]
) -> None:
    try:
        spec = NetworkSpec(name="n", input_shape=shape, cells=(*chosen, Logits(units=4)))
    except ModelError:
        return  # pooling a side that is already 1
    module = build(spec, 0).eval()
    x = torch.zeros(2, shape[2], *shape[:2])
    for cell, wanted in zip(module, spec.shapes()[1:], strict=True):
        x = cell(x)
        found = (1, 1, x.shape[1]) if x.ndim == 2 else (x.shape[2], x.shape[3], x.shape[1])
        assert found == wanted
    assert NetworkSpec.model_validate_json(spec.model_dump_json()) == spec


def test_one_cell_is_replaced_and_the_rest_kept() -> None:
    spec = NetworkSpec(name="n", input_shape=(16, 16, 3), cells=EVERY_CELL)
    changed = spec.with_cell(1, Convolution(channels=8))
    assert changed.cells[1] == Convolution(channels=8)
    assert changed.cells[:1] + changed.cells[2:] == spec.cells[:1] + spec.cells[2:]


def test_every_cell_trains_and_exports_to_few_operators() -> None:
    spec = NetworkSpec(name="n", input_shape=(16, 16, 3), cells=EVERY_CELL)
    module = build(spec, 0)
    output = module.train()(torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    output.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
    exported = torch.export.export(module.eval(), (torch.zeros(1, 3, 16, 16),), strict=False)
    operators = {
        str(node.target).split(".")[1]
        for node in exported.graph.nodes
        if node.op == "call_function"
    }
    assert operators <= {
        *("conv2d", "batch_norm", "relu", "relu_", "relu6", "relu6_", "hardtanh", "add", "mul"),
        *("sigmoid", "avg_pool2d", "adaptive_avg_pool2d", "max_pool2d", "flatten", "linear"),
    }


def test_groups_read_their_part_of_the_input_alone() -> None:
    spec = NetworkSpec(
        name="n",
        input_shape=(6, 6, 4),
        cells=(GroupedConvolution(channels=6, groups=2), Logits(units=2)),
    )
    cell = build(spec, 0)[0].eval()  # type: ignore[index]
    assert tuple(cell.conv.weight.shape) == (6, 2, 3, 3)
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    other = x.clone()
    other[:, :2] += 1.0
    first, second = cell(x), cell(other)
    assert not torch.equal(first[:, :3], second[:, :3])
    assert torch.equal(first[:, 3:], second[:, 3:])


def test_groups_that_do_not_divide_the_channels_are_an_error() -> None:
    with pytest.raises(ModelError, match="4 groups do not divide 6 channels and 8"):
        GroupedConvolution(channels=8, groups=4).output_shape((4, 4, 6))


def test_squeeze_excite_is_off_unless_asked_for() -> None:
    def modules(cell: CellSpec) -> set[str]:
        spec = NetworkSpec(name="n", input_shape=(8, 8, 4), cells=(cell, Logits(units=2)))
        return {type(m).__name__ for m in build(spec, 0).modules()}

    for kind in (DepthwiseSeparable, InvertedResidual, Residual):
        assert "SqueezeExcite" not in modules(kind(channels=4))
        assert "SqueezeExcite" in modules(kind(channels=4, squeeze_excite=True))


def test_inverted_residual_adds_its_input_only_where_shapes_allow() -> None:
    for cell, adds in (
        (InvertedResidual(channels=4), True),
        (InvertedResidual(channels=5), False),
        (InvertedResidual(channels=4, stride=(2, 2)), False),
    ):
        spec = NetworkSpec(name="n", input_shape=(8, 8, 4), cells=(cell, Logits(units=2)))
        assert build(spec, 0)[0].adds_input is adds  # type: ignore[index]


@pytest.mark.parametrize("kind", [Residual, partial(Bottleneck, inner_channels=2)])
@pytest.mark.parametrize(
    ("channels", "stride", "adds"), [(4, (1, 1), True), (5, (1, 1), False), (4, (2, 1), False)]
)
def test_a_residual_cell_passes_its_input_on_as_it_is_only_where_shapes_allow(
    kind: Callable[..., AnyCell], channels: int, stride: tuple[int, int], adds: bool
) -> None:
    cell = kind(channels=channels, stride=stride)
    spec = NetworkSpec(name="n", input_shape=(8, 8, 4), cells=(cell, Logits(units=2)))
    names = [name for name, _ in build(spec, 0).named_parameters()]
    assert ("0.shortcut.weight" not in names) is adds


def test_a_bottleneck_convolves_over_its_inner_channels_alone() -> None:
    cell = Bottleneck(channels=16, inner_channels=4, kernel=(5, 3), stride=(2, 1))
    spec = NetworkSpec(name="n", input_shape=(8, 8, 16), cells=(cell, Logits(units=2)))
    state = build(spec, 0).state_dict()
    assert state["0.reduce.weight"].shape == (4, 16, 1, 1)
    assert state["0.middle.weight"].shape == (4, 4, 5, 3)
    assert state["0.expand.weight"].shape == (16, 4, 1, 1)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [(8, 3, 1, 1), (8, 3, 2, 1), (9, 3, 2, 1), (49, 10, 2, 5), (10, 4, 2, 1), (8, 1, 2, 0)],
)
def test_same_padding_gives_ceil_of_size_over_stride(
    size: int, kernel: int, stride: int, padding: int
) -> None:
    assert same_padding(size, kernel, stride) == padding


def test_even_kernel_at_stride_1_is_refused() -> None:
    with pytest.raises(ModelError, match="no symmetric padding"):
        Convolution(channels=4, kernel=(2, 2)).output_shape((8, 8, 1))


def test_pooling_larger_than_its_input_is_refused_when_the_network_is_made() -> None:
    with pytest.raises(ModelError, match="2x2 does not fit 1x1"):
        NetworkSpec(
            name="n",
            input_shape=(8, 8, 1),
            cells=(GlobalAveragePool(), MaxPool(), Logits(units=2)),
        )


@pytest.mark.parametrize(
    "tail", [(), (Logits(units=2), Logits(units=2)), (Logits(units=2), Dense(units=2))]
)
def test_logits_come_exactly_last(tail: tuple[CellSpec, ...]) -> None:
    with pytest.raises(ValidationError):
        NetworkSpec(name="n", input_shape=(8, 8, 1), cells=(Convolution(channels=4), *tail))


def test_unknown_cell_kinds_and_bad_values_are_refused() -> None:
    for cell in ({"kind": "attention"}, {"kind": "convolution", "channels": 0}):
        with pytest.raises(ValidationError):
            NetworkSpec.model_validate(
                {
                    "name": "n",
                    "input_shape": [8, 8, 1],
                    "cells": [cell, {"kind": "logits", "units": 2}],
                }
            )
