"""The integer graph that a network will have, before it is trained: its shapes and its costs."""

from __future__ import annotations

import numpy as np
import torch

from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.ir import Graph
from edgeflow.lower.export import lower
from edgeflow.nets import network
from edgeflow.nets.network import NetworkSpec
from edgeflow.quantize.grids import calibrate
from edgeflow.quantize.trace import trace

SEED = 0
_CALIBRATION_INPUTS = 16


def untrained_graph(spec: NetworkSpec, weight_bits: int = 8) -> Graph:
    """The canonical graph of `spec`: weights drawn by `SEED`, grids from inputs drawn from [0, 1).

    Operators, shapes, bytes and multiply-accumulates are those of the trained network, and
    instructions hardly depend on values.
    """
    module = network.build(spec, SEED).eval()
    height, width, channels = spec.input_shape
    shape = (_CALIBRATION_INPUTS, channels, height, width)
    inputs = np.random.default_rng(SEED).random(shape, dtype=np.float32)
    samples = torch.from_numpy(inputs)
    quantized = calibrate(trace(module, samples), samples, weight_bits)
    return canonicalize(lower(quantized, inputs, spec.name))
