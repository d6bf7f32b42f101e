"""The integer graph that a network will have, before it is trained: its shapes and its costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.ir import Graph
from edgeflow.lower.export import lower
from edgeflow.nets import network
from edgeflow.nets.network import NetworkSpec
from edgeflow.quantize.grids import calibrate
from edgeflow.quantize.network import StepNetwork
from edgeflow.quantize.trace import trace

SEED = 0
_CALIBRATION_INPUTS = 16


def untrained_graph(spec: NetworkSpec, weight_bits: int | Sequence[int] = 8) -> Graph:
    """The canonical graph of `spec`: weights drawn by `SEED`, grids from inputs drawn from [0, 1).

    `weight_bits` is one width for all weights, or one for each cell.

    Operators, shapes, bytes and multiply-accumulates are those of the trained network, and
    instructions hardly depend on values.
    """
    module = network.build(spec, SEED).eval()
    height, width, channels = spec.input_shape
    shape = (_CALIBRATION_INPUTS, channels, height, width)
    inputs = np.random.default_rng(SEED).random(shape, dtype=np.float32)
    samples = torch.from_numpy(inputs)
    traced = trace(module, samples)
    bits = weight_bits if isinstance(weight_bits, int) else _by_step(traced, weight_bits)
    quantized = calibrate(traced, samples, bits)
    return canonicalize(lower(quantized, inputs, spec.name))


def _by_step(network: StepNetwork, weight_bits: Sequence[int]) -> Mapping[str, int]:
    """Bits for each step: steps are named after modules, such as 3.expand.0 of cell 3."""
    return {step.name: weight_bits[int(step.name.partition(".")[0])] for step in network.steps}
