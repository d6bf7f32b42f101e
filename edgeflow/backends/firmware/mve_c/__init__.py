"""The kernel set for Arm's vector extension MVE: `kernels/mve_c`, the DSP set's for the rest.

A layer takes a fast kernel where its constants prove that the kernel is exact; otherwise it takes
that of the DSP set, which all cores with MVE have.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgeflow.backends.firmware import dsp_c
from edgeflow.backends.firmware.mve_c import (
    convolution,
    dense,
    depthwise,
    elementwise,
    lookup,
    pooling,
)
from edgeflow.backends.firmware.mve_c.overlap import overlap_bytes
from edgeflow.backends.firmware.mve_c.set_up import set_up_instructions
from edgeflow.backends.firmware.rendering import Renderer
from edgeflow.graph.ir import Graph, Node, OpKind

__all__ = ["RENDERERS", "overlap_bytes", "scratch_bytes", "set_up_instructions"]


def scratch_bytes(graph: Graph, node: Node) -> int:
    """Working memory of the kernel that a node takes."""
    if node.kind is OpKind.CONV_2D:
        return convolution.working_bytes(graph, node)
    if node.kind is OpKind.DEPTHWISE_CONV_2D:
        return depthwise.plane_bytes(graph, node)
    if node.kind is OpKind.FULLY_CONNECTED:
        return dense.working_bytes(graph, node)
    return dsp_c.scratch_bytes(graph, node)


RENDERERS: Mapping[OpKind, Renderer] = MappingProxyType(
    {
        **dsp_c.RENDERERS,
        OpKind.CONV_2D: convolution.conv_2d,
        OpKind.DEPTHWISE_CONV_2D: depthwise.depthwise_conv_2d,
        OpKind.FULLY_CONNECTED: dense.fully_connected,
        OpKind.ADD: elementwise.add,
        OpKind.AVERAGE_POOL_2D: pooling.pool_2d,
        OpKind.MAX_POOL_2D: pooling.pool_2d,
        OpKind.RELU: lookup.relu,
        OpKind.RELU6: lookup.relu,
        OpKind.QUANTIZE: lookup.quantize,
    }
)
