"""ADD of two tensors of one shape in vectors."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.portable_c.elementwise import linear_add
from edgeflow.backends.firmware.rendering import LayerContext, RenderedLayer
from edgeflow.graph.ir import OpKind

_FUNCTION = "edgeflow_neon_add"


def add(layer: LayerContext) -> RenderedLayer:
    """ADD; operands that repeat, and scales without a linear form, take the portable kernel."""
    linear = linear_add(layer)
    if linear is None:
        return portable_c.RENDERERS[OpKind.ADD](layer)
    (call,) = linear.calls
    fast = replace(call, function=_FUNCTION, header=f"{_FUNCTION}.h", sources=(f"{_FUNCTION}.c",))
    return RenderedLayer((fast,), linear.constants)
