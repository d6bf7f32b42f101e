"""AVERAGE_POOL_2D and MAX_POOL_2D with neighbouring channels together."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.rendering import LayerContext, RenderedLayer
from edgeflow.graph.ir import OpKind

_FUNCTIONS = {
    OpKind.AVERAGE_POOL_2D: "edgeflow_wide_average_pool_2d",
    OpKind.MAX_POOL_2D: "edgeflow_wide_max_pool_2d",
}


def pool_2d(layer: LayerContext) -> RenderedLayer:
    """The portable layer's struct with another function."""
    (call,) = portable_c.RENDERERS[layer.node.kind](layer).calls
    function = _FUNCTIONS[layer.node.kind]
    sources = (f"{function}.c", "edgeflow_taps.c")
    fast = replace(call, function=function, header="edgeflow_wide_pool_2d.h", sources=sources)
    return RenderedLayer((fast,))
