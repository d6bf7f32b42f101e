"""The kernel set for Arm's DSP extension: `kernels/dsp_c`, and portable kernels for the rest.

A layer takes a fast kernel where its constants prove that the kernel is exact; otherwise it takes
the portable one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.dsp_c import convolution, dense, depthwise, elementwise, pooling
from edgeflow.backends.firmware.dsp_c.overlap import overlap_bytes
from edgeflow.backends.firmware.dsp_c.set_up import set_up_instructions
from edgeflow.backends.firmware.rendering import Renderer
from edgeflow.graph.ir import Graph, Node, OpKind

__all__ = ["RENDERERS", "overlap_bytes", "scratch_bytes", "set_up_instructions"]


def scratch_bytes(graph: Graph, node: Node) -> int:
    """Working memory of the kernel that a node takes."""
    if node.kind is OpKind.CONV_2D:
        return convolution.patch_bytes(graph, node)
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        return depthwise.plane_bytes(graph, node)
    if node.kind is OpKind.FULLY_CONNECTED:
        return dense.vector_bytes(graph, node)
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
        OpKind.MEAN: pooling.mean,
    }
)
