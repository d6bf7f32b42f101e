"""Post-training quantization with NNCF: trainable quantizers at every integer tensor."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edgeflow.quantize.grids import GridGroup, grid_groups, observed_ranges, probability_grid
from edgeflow.quantize.network import INPUT, StepNetwork
from edgeflow.quantize.nncf_extension import quiet_nncf
from edgeflow.quantize.operators import Convolution, Dense

if TYPE_CHECKING:
    from nncf.torch.quantization.layers import AsymmetricQuantizer, SymmetricQuantizer

_CALIBRATION_BATCH = 64

# What a tensor or channel of zeros gets as its range.
_SMALLEST_RANGE = 1e-6


def quantize_post_training(
    network: StepNetwork,
    calibration: Tensor,
    weight_bits: int,
    layer_bits: Mapping[str, int] = MappingProxyType({}),
) -> StepNetwork:
    """A copy with NNCF's trainable fake quantizers, ranges from `calibration` [N, ...].

    Weights have `weight_bits`, or what `layer_bits` has for their step.

    NNCF decides where activations need a quantizer and finds the ranges. Tensors that share a grid
    in the integer graph get one quantizer for the range of all. What NNCF leaves in float (gates of
    squeeze-excite with their convolutions, logits before a softmax) gets a quantizer from its
    smallest and largest value; sigmoid and softmax get the grid they have in the graph.
    """
    with quiet_nncf():
        weights, activations = _run_nncf(network, calibration)
        result = copy.deepcopy(network)
        for step in result.steps:
            layer = result.operator(step.name)
            if isinstance(layer, Convolution | Dense):
                placed = weights.get(step.name)
                largest = _largest_weights(layer) if placed is None else placed.scale.detach()
                layer.weight_quantizer = _weight_quantizer(
                    largest, layer_bits.get(step.name, weight_bits)
                )
        ranges = observed_ranges(network, calibration)
        for group in grid_groups(network):
            result.set_quantizer(group.tensors, _group_quantizer(group, activations, ranges))
    return result


def _run_nncf(
    network: StepNetwork, calibration: Tensor
) -> tuple[dict[str, SymmetricQuantizer], dict[str, AsymmetricQuantizer]]:
    """NNCF's quantizers by the step whose weight, and by the tensor, that they quantize."""
    import nncf
    from nncf.common.quantization.structs import QuantizationScheme
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        OverflowFix,
        QuantizationParameters,
    )
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    from nncf.torch.function_hook.hook_storage import decode_hook_name
    from nncf.torch.function_hook.wrapper import get_hook_storage

    batches = calibration.split(_CALIBRATION_BATCH)
    hooked = nncf.quantize(
        network,
        nncf.Dataset(list(batches)),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(batches),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.DISABLE,
            quantize_outputs=True,
            disable_bias_correction=True,
            activations_quantization_params=QuantizationParameters(
                num_bits=8, mode=QuantizationScheme.ASYMMETRIC, per_channel=False
            ),
            # NNCF's default takes the mean of the samples' extremes, which cuts off logits; with
            # smallest and largest values the batch size makes no difference either.
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
            weights_quantization_params=QuantizationParameters(
                num_bits=8,
                mode=QuantizationScheme.SYMMETRIC,
                signedness_to_force=True,
                per_channel=True,
                narrow_range=True,
            ),
        ),
    )
    weights: dict[str, SymmetricQuantizer] = {}
    activations: dict[str, AsymmetricQuantizer] = {}
    for hook, quantizer in get_hook_storage(hooked).named_hooks():
        kind, place, port = decode_hook_name(hook)
        if place == "x":
            activations[INPUT] = quantizer
            continue
        step = network.steps[int(place.split("/")[0].removeprefix("op_"))]
        layer = isinstance(network.operator(step.name), Convolution | Dense)
        if kind == "post_hooks":
            activations[step.name] = quantizer
        elif layer and port == 1:
            weights[step.name] = quantizer
        else:
            activations.setdefault(step.inputs[port], quantizer)
    return weights, activations


def _largest_weights(layer: Convolution | Dense) -> Tensor:
    """Largest magnitude of each output channel, shaped to broadcast."""
    weight = layer.weight.detach().abs()
    return weight.amax(dim=tuple(range(1, weight.ndim)), keepdim=True)


def _weight_quantizer(largest: Tensor, bits: int) -> SymmetricQuantizer:
    """One scale for each output channel. NNCF itself places no other widths than 8 bits here."""
    from nncf.common.quantization.structs import QuantizationScheme
    from nncf.torch.quantization.layers import PTQuantizerSpec, SymmetricQuantizer

    quantizer = SymmetricQuantizer(
        PTQuantizerSpec(
            num_bits=bits,
            mode=QuantizationScheme.SYMMETRIC,
            signedness_to_force=True,
            narrow_range=True,
            half_range=False,
            scale_shape=tuple(largest.shape),
            logarithm_scale=False,
        )
    )
    with torch.no_grad():
        quantizer.scale.copy_(largest.clamp_min(_SMALLEST_RANGE))
    return quantizer


def _group_quantizer(
    group: GridGroup,
    activations: dict[str, AsymmetricQuantizer],
    ranges: dict[str, tuple[float, float]],
) -> nn.Module:
    if group.fixed:
        return probability_grid()
    placed = [activations[name] for name in group.tensors if name in activations]
    if len(placed) == 1:
        return placed[0]
    if placed:
        with torch.no_grad():
            limits = [q.get_input_low_input_high() for q in placed]
        low = min(float(low) for low, _ in limits)
        high = max(float(high) for _, high in limits)
    else:
        low = min(ranges[name][0] for name in group.tensors)
        high = max(ranges[name][1] for name in group.tensors)
    return _activation_quantizer(low, high)


def _activation_quantizer(low: float, high: float) -> nn.Module:
    from nncf.common.quantization.structs import QuantizationScheme
    from nncf.torch.quantization.layers import AsymmetricQuantizer, PTQuantizerSpec

    quantizer = AsymmetricQuantizer(
        PTQuantizerSpec(
            num_bits=8,
            mode=QuantizationScheme.ASYMMETRIC,
            signedness_to_force=None,
            narrow_range=False,
            half_range=False,
            scale_shape=(1,),
            logarithm_scale=False,
        )
    )
    low, high = min(low, 0.0), max(high, 0.0, min(low, 0.0) + _SMALLEST_RANGE)
    with torch.no_grad():
        quantizer.input_low.fill_(low)
        quantizer.input_range.fill_(high - low)
    return quantizer
