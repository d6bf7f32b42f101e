"""Cells with some of their channels: specification and weights of what is left of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from edgeflow.nets import specs
from edgeflow.nets.specs import AnyCell, ShapeHWC

State = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Channels:
    """Sorted indices of the channels that stay: of a cell's input, inside, of its output.

    The channels inside are those of every layer inside, one by one.
    """

    inputs: Tensor
    inner: Tensor
    outputs: Tensor


def explicit(cell: AnyCell, shape: ShapeHWC) -> AnyCell:
    """The same cell with its inner channels stated where it has any of its own."""
    if isinstance(cell, specs.Residual):
        return cell.model_copy(update={"inner_channels": cell.inner_channels or cell.channels})
    if isinstance(cell, specs.InvertedResidual) and has_expansion(cell, shape):
        inner = cell.inner_channels or shape[2] * cell.expansion
        return cell.model_copy(update={"inner_channels": inner})
    return cell


def has_expansion(cell: AnyCell, shape: ShapeHWC) -> bool:
    """Whether a cell is an InvertedResidual whose inner channels are not those of its input."""
    if not isinstance(cell, specs.InvertedResidual):
        return False
    return cell.expansion > 1 or (cell.inner_channels or shape[2]) != shape[2]


def with_inner(cell: AnyCell, channels: int) -> AnyCell:
    """The cell with another number of inner channels."""
    return cell.model_copy(update={"inner_channels": channels})


def with_outputs(cell: AnyCell, channels: int) -> AnyCell:
    """The cell with another number of output channels."""
    name = "units" if isinstance(cell, specs.Dense | specs.Logits) else "channels"
    return cell.model_copy(update={name: channels})


def cut_state(cell: AnyCell, shape: ShapeHWC, state: State, stay: Channels) -> dict[str, Tensor]:
    """The tensors of a cell's state, input `shape` before any cut, at the channels that stay."""
    cut = _CUTS.get(type(cell))
    return {} if cut is None else cut(state, stay, shape)


def _convolution(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    return {
        "conv.weight": state["conv.weight"][stay.outputs][:, stay.inputs],
        **_norm(state, "norm", stay.outputs),
    }


def _grouped_convolution(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    """All of it: no channel goes before or behind groups, which would become unequal."""
    return dict(state)


def _depthwise_separable(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    return {
        "depthwise.weight": state["depthwise.weight"][stay.inputs],
        **_norm(state, "depthwise_norm", stay.inputs),
        **_excite(state),
        "pointwise.weight": state["pointwise.weight"][stay.outputs][:, stay.inputs],
        **_norm(state, "pointwise_norm", stay.outputs),
    }


def _inverted_residual(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    result: dict[str, Tensor] = {}
    inner = stay.inputs
    if "expand.0.weight" in state:
        inner = stay.inner
        result["expand.0.weight"] = state["expand.0.weight"][inner][:, stay.inputs]
        result |= _norm(state, "expand.1", inner)
    return {
        **result,
        "depthwise.0.weight": state["depthwise.0.weight"][inner],
        **_norm(state, "depthwise.1", inner),
        **_excite(state),
        "project.0.weight": state["project.0.weight"][stay.outputs][:, inner],
        **_norm(state, "project.1", stay.outputs),
    }


def _residual(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    return {
        "first.weight": state["first.weight"][stay.inner][:, stay.inputs],
        **_norm(state, "first_norm", stay.inner),
        "second.weight": state["second.weight"][stay.outputs][:, stay.inner],
        **_norm(state, "second_norm", stay.outputs),
        **_excite(state),
        **_shortcut(state, stay),
    }


def _bottleneck(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    return {
        "reduce.weight": state["reduce.weight"][stay.inner][:, stay.inputs],
        **_norm(state, "reduce_norm", stay.inner),
        "middle.weight": state["middle.weight"][stay.inner][:, stay.inner],
        **_norm(state, "middle_norm", stay.inner),
        "expand.weight": state["expand.weight"][stay.outputs][:, stay.inner],
        **_norm(state, "expand_norm", stay.outputs),
        **_shortcut(state, stay),
    }


def _dense(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    weight = state["linear.weight"][stay.outputs][:, _features(stay.inputs, shape)]
    return {"linear.weight": weight, **_norm(state, "norm", stay.outputs)}


def _logits(state: State, stay: Channels, shape: ShapeHWC) -> dict[str, Tensor]:
    weight = state["linear.weight"][stay.outputs][:, _features(stay.inputs, shape)]
    return {"linear.weight": weight, "linear.bias": state["linear.bias"][stay.outputs]}


_CUTS: Mapping[type, Callable[[State, Channels, ShapeHWC], dict[str, Tensor]]] = {
    specs.Convolution: _convolution,
    specs.GroupedConvolution: _grouped_convolution,
    specs.DepthwiseSeparable: _depthwise_separable,
    specs.InvertedResidual: _inverted_residual,
    specs.Residual: _residual,
    specs.Bottleneck: _bottleneck,
    specs.Dense: _dense,
    specs.Logits: _logits,
}


def _norm(state: State, name: str, channels: Tensor) -> dict[str, Tensor]:
    parts = ("weight", "bias", "running_mean", "running_var")
    cut = {f"{name}.{part}": state[f"{name}.{part}"][channels] for part in parts}
    return cut | {f"{name}.num_batches_tracked": state[f"{name}.num_batches_tracked"]}


def _shortcut(state: State, stay: Channels) -> dict[str, Tensor]:
    if "shortcut.weight" not in state:
        return {}
    return {
        "shortcut.weight": state["shortcut.weight"][stay.outputs][:, stay.inputs],
        "shortcut.bias": state["shortcut.bias"][stay.outputs],
    }


def _excite(state: State) -> dict[str, Tensor]:
    """Gates are left as they are: the channels that they see are never cut."""
    return {name: value for name, value in state.items() if name.startswith("excite.")}


def _features(channels: Tensor, shape: ShapeHWC) -> Tensor:
    """Positions of channels in a flattened [C, H, W]."""
    pixels = shape[0] * shape[1]
    return (channels.unsqueeze(1) * pixels + torch.arange(pixels)).flatten()
