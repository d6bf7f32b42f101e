"""The roofline of a target: a time below which no inference can take, from its constants alone.

S. Williams, A. Waterman, D. Patterson: Roofline, CACM 52 (4), 2009: the larger of the time that the
products take at the core's peak, and of the time that the bytes take from memory.
"""

from __future__ import annotations

from edgeflow.graph.cost import macs, weight_bytes
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import Target

SOURCE = "roofline: products at the peak of one core, weights beyond its cache from memory"
_FLOAT32_BYTES = 4


def least_seconds(graph: Graph, target: Target, *, floats: bool) -> float | None:
    """Seconds of an inference on one core, at the least; None for a target without constants.

    With `floats` in float32, from weights of four bytes.
    """
    roofline = target.roofline
    if roofline is None:
        return None
    per_cycle = roofline.float32_macs_per_cycle if floats else roofline.int8_macs_per_cycle
    products = sum(macs(graph, node) for node in graph.nodes)
    stored = sum(weight_bytes(graph, node) for node in graph.nodes)
    stored *= _FLOAT32_BYTES if floats else 1
    computing = products / (per_cycle * target.core.clock_hz)
    reading = stored / roofline.memory_bytes_per_second if stored > roofline.cache_bytes else 0.0
    return max(computing, reading)
