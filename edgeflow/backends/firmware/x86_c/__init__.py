"""The kernel set for x86-64: AVX2, and AVX-512 VNNI where the processor has it (`kernels/x86_c`).

A layer takes a fast kernel where its constants prove that the kernel is exact; otherwise it takes
that of the portable set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.rendering import Renderer
from edgeflow.backends.firmware.wide_c import pooling
from edgeflow.backends.firmware.x86_c import convolution, dense, depthwise, elementwise
from edgeflow.graph.ir import Graph, Node, OpKind

__all__ = ["RENDERERS", "scratch_bytes"]


def scratch_bytes(graph: Graph, node: Node) -> int:
    """Working memory of the kernel that a node takes."""
    if node.kind is OpKind.CONV_2D:
        return convolution.copy_bytes(graph, node)
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        return depthwise.copy_bytes(graph, node)
    if node.kind is OpKind.FULLY_CONNECTED:
        return dense.copy_bytes(graph, node)
    return portable_c.scratch_bytes(graph, node)


RENDERERS: Mapping[OpKind, Renderer] = MappingProxyType(
    {
        **portable_c.RENDERERS,
        OpKind.CONV_2D: convolution.conv_2d,
        OpKind.DEPTHWISE_CONV_2D: depthwise.depthwise_conv_2d,
        OpKind.FULLY_CONNECTED: dense.fully_connected,
        OpKind.ADD: elementwise.add,
        OpKind.AVERAGE_POOL_2D: pooling.pool_2d,
        OpKind.MAX_POOL_2D: pooling.pool_2d,
    }
)
