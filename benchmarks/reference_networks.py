"""The reference networks of `edgeflow/nets`, untrained, as integer graphs."""

from __future__ import annotations

from dataclasses import dataclass

from edgeflow.graph.ir import Graph

SEED = 0
_CALIBRATION_INPUTS = 16


@dataclass(frozen=True)
class Reference:
    """A network of the registry at the input shape (height, width, channels) of its benchmark."""

    network: str
    input_shape_hwc: tuple[int, int, int]
    outputs: int


REFERENCES = (
    Reference("small", (8, 8, 1), 10),
    Reference("mlperf-resnet8", (32, 32, 3), 10),
    Reference("mlperf-dscnn", (49, 10, 1), 12),
    Reference("mlperf-mobilenet-v1-0.25", (96, 96, 3), 2),
    Reference("mlperf-autoencoder", (1, 1, 640), 640),
)


def lowered(reference: Reference, weight_bits: int = 8) -> Graph:
    """The canonical integer graph: weights drawn by `SEED`, grids from inputs drawn from [0, 1)."""
    import numpy as np
    import torch

    from edgeflow.graph.canonical import canonicalize
    from edgeflow.lower.export import lower
    from edgeflow.nets.registry import build
    from edgeflow.quantize.grids import calibrate
    from edgeflow.quantize.trace import trace

    network = build(reference.network, reference.input_shape_hwc, reference.outputs, SEED).eval()
    height, width, channels = reference.input_shape_hwc
    shape = (_CALIBRATION_INPUTS, channels, height, width)
    inputs = np.random.default_rng(SEED).random(shape, dtype=np.float32)
    samples = torch.from_numpy(inputs)
    quantized = calibrate(trace(network, samples), samples, weight_bits)
    return canonicalize(lower(quantized, inputs, reference.network))
