"""AVERAGE_POOL_2D and MAX_POOL_2D with channels in lanes."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.rendering import LayerContext, RenderedLayer
from edgeflow.graph.ir import OpKind, Pool2D

_MOST_AVERAGED = 256
_FUNCTIONS = {
    OpKind.AVERAGE_POOL_2D: "edgeflow_mve_average_pool_2d",
    OpKind.MAX_POOL_2D: "edgeflow_mve_max_pool_2d",
}


def pool_2d(layer: LayerContext) -> RenderedLayer:
    """The portable layer's struct with another function; sums of larger windows exceed 16 bits."""
    attributes = layer.node.attributes
    assert isinstance(attributes, Pool2D)
    portable = portable_c.RENDERERS[layer.node.kind](layer)
    averages = layer.node.kind is OpKind.AVERAGE_POOL_2D
    if averages and attributes.kernel_h * attributes.kernel_w > _MOST_AVERAGED:
        return portable
    function = _FUNCTIONS[layer.node.kind]
    (call,) = portable.calls
    fast = replace(
        call,
        function=function,
        header="edgeflow_mve_pool_2d.h",
        sources=(f"{function}.c", "edgeflow_taps.c"),
    )
    return RenderedLayer((fast,))
