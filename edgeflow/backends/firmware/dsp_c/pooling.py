"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN of four neighbouring channels at a time."""

from __future__ import annotations

from dataclasses import replace

from edgeflow.backends.firmware.portable_c import reduction
from edgeflow.backends.firmware.rendering import LayerContext, RenderedLayer
from edgeflow.graph.ir import Mean

_CHANNELS = 4
_WINDOW = ("edgeflow_dsp_window.c", "edgeflow_taps.c")


def pool_2d(layer: LayerContext) -> RenderedLayer:
    """AVERAGE_POOL_2D and MAX_POOL_2D; fewer than four channels take the portable kernel."""
    rendered = reduction.pool_2d(layer)
    return _fast(rendered) if layer.output.shape[-1] >= _CHANNELS else rendered


def mean(layer: LayerContext) -> RenderedLayer:
    """MEAN; where the last dimension is averaged or small the portable kernel takes it."""
    attributes = layer.node.attributes
    assert isinstance(attributes, Mean)
    rendered = reduction.mean(layer)
    shape = layer.input(0).shape
    keeps_last = len(shape) - 1 not in {axis % len(shape) for axis in attributes.axes}
    return _fast(rendered) if keeps_last and shape[-1] >= _CHANNELS else rendered


def _fast(rendered: RenderedLayer) -> RenderedLayer:
    """The same layer struct for the function of the DSP set."""
    (call,) = rendered.calls
    function = call.function.replace("edgeflow_", "edgeflow_dsp_", 1)
    fast = replace(
        call,
        function=function,
        header="edgeflow_dsp_pool_2d.h",
        sources=(f"{function}.c", *_WINDOW),
    )
    return replace(rendered, calls=(fast,))
