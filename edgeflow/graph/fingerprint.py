"""The identity of a graph: equal for graphs that differ in names only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from edgeflow.graph.ir import Graph, Tensor

_FORMAT = "edgeflow-graph-1"


def fingerprint(graph: Graph) -> str:
    """sha256 (64 hexadecimal digits) over structure, quantization and constants.

    Names do not count; the order of the nodes does.
    """
    numbers: dict[str, int] = {}
    for name in _names_in_order(graph):
        numbers.setdefault(name, len(numbers))
    structure = {
        "format": _FORMAT,
        "tensors": [_description(graph.tensors[name]) for name in numbers],
        "inputs": [numbers[name] for name in graph.inputs],
        "outputs": [numbers[name] for name in graph.outputs],
        "nodes": [
            {
                "kind": node.kind.value,
                "attributes": asdict(node.attributes),
                "inputs": [numbers[name] for name in node.inputs],
                "outputs": [numbers[name] for name in node.outputs],
            }
            for node in graph.nodes
        ],
    }
    text = json.dumps(structure, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _names_in_order(graph: Graph) -> list[str]:
    names = list(graph.inputs)
    for node in graph.nodes:
        names += [*node.inputs, *node.outputs]
    return names + list(graph.outputs)


def _description(tensor: Tensor) -> dict[str, object]:
    data = None
    if tensor.data is not None:
        little_endian = tensor.data.astype(tensor.data.dtype.newbyteorder("<"))
        data = hashlib.sha256(little_endian.tobytes()).hexdigest()
    quantization = None
    if tensor.quantization is not None:
        quantization = {
            "scales": [scale.hex() for scale in tensor.quantization.scales],
            "zero_points": list(tensor.quantization.zero_points),
            "axis": tensor.quantization.axis,
        }
    return {
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.value,
        "bits": tensor.bits,
        "quantization": quantization,
        "data": data,
    }
