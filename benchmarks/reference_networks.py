"""The reference networks of `edgeflow/nets`, untrained, as integer graphs."""

from __future__ import annotations

from dataclasses import dataclass

from edgeflow.graph.ir import Graph

SEED = 0


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
    """The canonical integer graph of a reference network, untrained."""
    from edgeflow.lower.untrained import untrained_graph
    from edgeflow.nets.registry import specify

    spec = specify(reference.network, reference.input_shape_hwc, reference.outputs)
    return untrained_graph(spec, weight_bits)


def dense_digits(weight_bits: int = 8) -> Graph:
    """64-32-10 for 8x8 digits, untrained."""
    from edgeflow.lower.untrained import untrained_graph
    from edgeflow.nets.network import NetworkSpec
    from edgeflow.nets.specs import Dense, Logits

    cells = (Dense(units=32), Logits(units=10))
    return untrained_graph(
        NetworkSpec(name="64-32-10", input_shape=(8, 8, 1), cells=cells), weight_bits
    )
