"""How many bits the weights of each layer get."""

from __future__ import annotations

from collections.abc import Mapping

from edgeflow.errors import ConfigError
from edgeflow.quantize.network import StepNetwork
from edgeflow.quantize.operators import Convolution, Dense
from edgeflow.quantize.options import QuantizeOptions


def bits_by_layer(network: StepNetwork, options: QuantizeOptions) -> Mapping[str, int]:
    """Bits of the weights of every convolution and dense layer, by the step's name.

    Raises ConfigError for an option that names no such layer.
    """
    weighted = Convolution | Dense
    layers = [s.name for s in network.steps if isinstance(network.operator(s.name), weighted)]
    bits = dict.fromkeys(layers, options.weight_bits)
    if options.first_and_last_weight_bits is not None:
        bits |= dict.fromkeys((*layers[:1], *layers[-1:]), options.first_and_last_weight_bits)
    given = options.layer_weight_bits or {}
    unknown = sorted(set(given) - set(layers))
    if unknown:
        raise ConfigError(
            f"[quantize.layer_weight_bits] names {unknown[0]!r}, which is no layer with weights",
            hint=f"layers of this network: {', '.join(layers)}",
        )
    return bits | given
