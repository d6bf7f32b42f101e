"""What is known of a layer before a device runs it, as a row of the summary."""

from __future__ import annotations

from edgeflow.backends.firmware.sharing import tensor_bytes
from edgeflow.backends.firmware.source import LayerSymbol
from edgeflow.bundle.summary import LayerRow
from edgeflow.graph.ir import Graph, Node


def layer_row(graph: Graph, layer: LayerSymbol, node: Node | None) -> LayerRow:
    """A row; `node` None is an operator of the file that the graph folds into the next node."""
    from edgeflow.graph import cost

    output = graph.tensors.get(layer.output_tensor)
    return LayerRow(
        name=layer.node_name,
        symbol=layer.symbol,
        operator=layer.kind.value,
        signature=cost.signature(graph, node) if node else f"{layer.kind} before the next layer",
        output_shape=output.shape[1:] if output else (),
        macs=cost.macs(graph, node) if node else 0,
        weight_bytes=cost.weight_bytes(graph, node) if node else 0,
        output_bytes=tensor_bytes(output) if output else 0,
    )
