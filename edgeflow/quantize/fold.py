"""Rewrites of traced steps before quantization, so that what is quantized is what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from edgeflow.errors import UnsupportedOperatorError
from edgeflow.quantize.network import Step, use_counts
from edgeflow.quantize.operators import (
    Affine,
    AveragePool,
    Concatenate,
    Convolution,
    Dense,
    MaxPool,
    Mean,
    Requantize,
    Reshape,
    Sigmoid,
    Softmax,
    ZeroPad,
)

# Operators whose result has scale 1/256 and zero point -128, whatever the data.
FIXED_GRID_OPERATORS = (Sigmoid, Softmax)


def without_unused(steps: Sequence[Step], output: str) -> tuple[Step, ...]:
    """The steps that the output depends on."""
    needed = {output}
    for step in reversed(steps):
        if step.name in needed:
            needed.update(step.inputs)
    return tuple(step for step in steps if step.name in needed)


def fold_affines(
    steps: Sequence[Step], operators: Mapping[str, nn.Module], output: str
) -> tuple[tuple[Step, ...], dict[str, nn.Module], str]:
    """Batch normalization and other affine maps into the weights before them, in float64.

    An affine map of [N, C, H, W] that follows no layer of its own becomes a depthwise 1x1
    convolution. Raises UnsupportedOperatorError where neither is possible.
    """
    counts = use_counts(steps, output)
    renamed: dict[str, str] = {}
    folded: dict[str, nn.Module] = {}
    kept: list[Step] = []
    for original in steps:
        step = replace(original, inputs=tuple(renamed.get(n, n) for n in original.inputs))
        operator = operators[step.name]
        if isinstance(operator, Affine):
            before = folded.get(step.inputs[0])
            if counts[original.inputs[0]] == 1 and isinstance(before, Convolution | Dense):
                folded[step.inputs[0]] = _absorb(before, operator)
                renamed[original.name] = step.inputs[0]
                counts[step.inputs[0]] = counts[original.name]
                continue
            operator = _as_depthwise(operator, step)
        folded[step.name] = operator
        kept.append(step)
    return tuple(kept), folded, renamed.get(output, output)


def _absorb(layer: Convolution | Dense, affine: Affine) -> nn.Module:
    scale, shift = affine.get_buffer("scale").double(), affine.get_buffer("shift").double()
    rows = scale.view(-1, *[1] * (layer.weight.ndim - 1))
    weight = (layer.weight.detach().double() * rows).float()
    bias = (layer.bias.detach().double() * scale + shift).float()
    if isinstance(layer, Dense):
        return Dense(weight, bias)
    return Convolution(
        weight,
        bias,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )


def _as_depthwise(affine: Affine, step: Step) -> Convolution:
    channels = step.shape[0]
    if len(step.shape) != 3:
        raise UnsupportedOperatorError(
            f"an affine map of [N, {channels}] in {step.where} follows no linear layer that could "
            f"take it up",
            hint="put batch normalization, or the constant factor, right after a linear layer",
        )
    scale, shift = affine.get_buffer("scale"), affine.get_buffer("shift")
    weight = scale.to(torch.float32).reshape(channels, 1, 1, 1)
    return Convolution(weight, shift.to(torch.float32), groups=channels)


def separate_fixed_grids(
    steps: Sequence[Step], operators: Mapping[str, nn.Module]
) -> tuple[tuple[Step, ...], dict[str, nn.Module]]:
    """Requantize tensors of fixed grid before a concatenation, whose inputs share one grid."""
    result: list[Step] = []
    operators = dict(operators)
    fixed: set[str] = set()
    for original in steps:
        step = original
        operator = operators[step.name]
        keeps_grid = isinstance(operator, MaxPool | AveragePool | Reshape | ZeroPad)
        if isinstance(operator, FIXED_GRID_OPERATORS) or (keeps_grid and step.inputs[0] in fixed):
            fixed.add(step.name)
        if isinstance(operator, Concatenate):
            for position, name in enumerate(step.inputs):
                if name in fixed:
                    source = next(s for s in result if s.name == name)
                    extra = replace(
                        source, name=f"{step.name}.requantize_{position}", inputs=(name,)
                    )
                    operators[extra.name] = Requantize()
                    result.append(extra)
                    inputs = (*step.inputs[:position], extra.name, *step.inputs[position + 1 :])
                    step = replace(step, inputs=inputs)
        result.append(step)
    return tuple(result), operators


def merge_reshapes_into_means(
    steps: Sequence[Step], operators: Mapping[str, nn.Module], output: str
) -> tuple[tuple[Step, ...], dict[str, nn.Module], str]:
    """Means [N, C, 1, 1] that are only flattened afterwards are computed as [N, C]."""
    counts = use_counts(steps, output)
    renamed: dict[str, str] = {}
    merged = dict(operators)
    kept: dict[str, Step] = {}
    for original in steps:
        step = replace(original, inputs=tuple(renamed.get(n, n) for n in original.inputs))
        before = merged.get(step.inputs[0])
        if (
            isinstance(merged[step.name], Reshape)
            and len(step.shape) == 1
            and isinstance(before, Mean)
            and before.dims == (2, 3)
            and before.keep_dims
            and counts[original.inputs[0]] == 1
        ):
            mean = kept[step.inputs[0]]
            kept[mean.name] = replace(mean, shape=step.shape)
            merged[mean.name] = Mean(before.dims, keep_dims=False)
            renamed[step.name] = mean.name
            counts[mean.name] = counts[step.name]
            del merged[step.name]
            continue
        kept[step.name] = step
    return tuple(kept.values()), merged, renamed.get(output, output)
