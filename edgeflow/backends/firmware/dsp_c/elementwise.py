"""ADD of two tensors of one shape as a call of `edgeflow_dsp_add`."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.backends.firmware.dsp_c.clamping import narrow_range
from edgeflow.backends.firmware.portable_c import elementwise
from edgeflow.backends.firmware.rendering import LayerContext, RenderedLayer
from edgeflow.graph.requantize import add_requantization


def add(layer: LayerContext) -> RenderedLayer:
    """ADD; what has no linear form takes the portable kernel."""
    linear = elementwise.linear_add(layer)
    if linear is None:
        return elementwise.add(layer)
    (call,) = linear.calls
    function = "edgeflow_dsp_add"
    saturating = replace(
        call, function=function, header=f"{function}.h", sources=(f"{function}.c",)
    )
    clamp = narrow_range(layer, add_requantization(layer.graph, layer.node).range)
    return replace(linear, calls=(saturating, *clamp))
