"""LOGISTIC through its table of 256 outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeflow.graph.ir import Graph, Node
from edgeflow.graph.kernels.arrays import Int8Array, Value
from edgeflow.graph.requantize import logistic_table


def logistic(graph: Graph, node: Node, inputs: Sequence[Value]) -> Int8Array:
    """The table's entry for each input."""
    table = np.array(logistic_table(graph, node).outputs, dtype=np.int8)
    return table[inputs[0].astype(np.int64) + 128]
