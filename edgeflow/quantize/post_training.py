"""Post-training quantization with NNCF: trainable quantizers at every integer tensor."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from edgeflow.quantize.grids import GridGroup, grid_groups, observed_ranges, probability_grid
from edgeflow.quantize.network import INPUT, StepNetwork
from edgeflow.quantize.nncf_extension import quiet_nncf
from edgeflow.quantize.operators import Convolution, Dense

if TYPE_CHECKING:
    from nncf.torch.quantization.layers import AsymmetricQuantizer


def quantize_post_training(
    network: StepNetwork, calibration: Tensor, weight_bits: int
) -> StepNetwork:
    """A copy with NNCF's trainable fake quantizers, ranges from `calibration` [N, ...].

    NNCF decides where activations need a quantizer and finds the ranges. Tensors that share a grid
    in the integer graph get one quantizer for the range of all; a tensor that NNCF left out gets one
    from its smallest and largest value; sigmoid and softmax get the grid they have in the graph.
    """
    with quiet_nncf():
        weights, activations = _run_nncf(network, calibration, weight_bits)
        result = copy.deepcopy(network)
        for step_name, quantizer in weights.items():
            layer = cast(Convolution | Dense, result.operator(step_name))
            layer.weight_quantizer = quantizer
        ranges = observed_ranges(network, calibration)
        for group in grid_groups(network):
            result.set_quantizer(group.tensors, _group_quantizer(group, activations, ranges))
    return result


def _run_nncf(
    network: StepNetwork, calibration: Tensor, weight_bits: int
) -> tuple[dict[str, nn.Module], dict[str, AsymmetricQuantizer]]:
    """NNCF's quantizers by the step whose weight, and by the tensor, that they quantize."""
    import nncf
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        OverflowFix,
        QuantizationParameters,
    )
    from nncf.common.quantization.structs import QuantizationScheme
    from nncf.torch.function_hook.hook_storage import decode_hook_name
    from nncf.torch.function_hook.wrapper import get_hook_storage

    hooked = nncf.quantize(
        network,
        nncf.Dataset(list(calibration.split(1))),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.DISABLE,
            quantize_outputs=True,
            disable_bias_correction=True,
            activations_quantization_params=QuantizationParameters(
                num_bits=8, mode=QuantizationScheme.ASYMMETRIC, per_channel=False
            ),
            weights_quantization_params=QuantizationParameters(
                num_bits=weight_bits,
                mode=QuantizationScheme.SYMMETRIC,
                signedness_to_force=True,
                per_channel=True,
                narrow_range=True,
            ),
        ),
    )
    weights: dict[str, nn.Module] = {}
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
    low, high = min(low, 0.0), max(high, 0.0, min(low, 0.0) + 1e-6)
    with torch.no_grad():
        quantizer.input_low.fill_(low)
        quantizer.input_range.fill_(high - low)
    return quantizer
