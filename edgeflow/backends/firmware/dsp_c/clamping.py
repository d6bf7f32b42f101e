"""The pass after kernels that saturate to int8, for layers with a narrower output range."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware.rendering import KernelCall, LayerContext
from edgeflow.graph.requantization import OutputRange


def narrow_range(layer: LayerContext, bounds: OutputRange) -> tuple[KernelCall, ...]:
    """A call that clamps the layer's output in place; none where int8 is the whole range."""
    if (bounds.minimum, bounds.maximum) == (-128, 127):
        return ()
    call = KernelCall(
        function="edgeflow_dsp_clamp",
        header="edgeflow_dsp_clamp.h",
        layer_type="edgeflow_dsp_clamp_layer",
        layer={
            "elements": int(np.prod(layer.output.shape)),
            "minimum": bounds.minimum,
            "maximum": bounds.maximum,
        },
        arguments=(layer.place(layer.node.outputs[0]),),
        sources=("edgeflow_dsp_clamp.c",),
    )
    return (call,)
