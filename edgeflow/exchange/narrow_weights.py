"""Weights below 8 bits as both file formats hold them: several to a byte, the first lowest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.ir import Graph, OpKind

_WEIGHTED_KINDS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)


def plain_weights(graph: Graph) -> frozenset[str]:
    """Tensors that operators read as their weights and as nothing else."""
    weights: set[str] = set()
    others: set[str] = set(graph.outputs)
    for node in graph.nodes:
        at = 1 if node.kind in _WEIGHTED_KINDS else len(node.inputs)
        weights.update(node.inputs[at : at + 1])
        others.update(node.inputs[:at], node.inputs[at + 1 :])
    return frozenset(weights - others)


def packed(values: NDArray[np.int8], bits: int) -> bytes:
    """Signed fields of 4 or 2 bits; the last byte may be partly empty."""
    per_byte = 8 // bits
    fields = values.astype(np.uint8).reshape(-1) & (2**bits - 1)
    padding = np.zeros(-fields.size % per_byte, np.uint8)
    rows = np.append(fields, padding).reshape(-1, per_byte).astype(np.int64)
    return (rows << (bits * np.arange(per_byte))).sum(axis=1).astype(np.uint8).tobytes()


def packed_size(count: int, bits: int) -> int:
    """Bytes of that many fields."""
    return -(-count * bits // 8)


def unpacked(payload: bytes | memoryview, bits: int, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """What `packed` packed; the payload must have the size of the shape."""
    packed_bytes = np.frombuffer(payload, dtype=np.uint8)
    fields = packed_bytes[:, None] << (8 - bits - bits * np.arange(8 // bits, dtype=np.uint8))
    signed = fields.astype(np.uint8).view(np.int8) >> (8 - bits)
    count = int(np.prod(shape, dtype=np.int64))
    return signed.reshape(-1)[:count].reshape(shape).astype(np.int8)
