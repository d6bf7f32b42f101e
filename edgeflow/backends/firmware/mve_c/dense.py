"""FULLY_CONNECTED as inner products of the input with four outputs at a time."""

from __future__ import annotations

from edgeflow.backends.firmware import dsp_c
from edgeflow.backends.firmware.c_text import Expression, Value
from edgeflow.backends.firmware.dsp_c.dense import output_scales
from edgeflow.backends.firmware.mve_c.weights import is_packed, stored, unpacking_bytes
from edgeflow.backends.firmware.one_multiply import dense_outputs
from edgeflow.backends.firmware.rendering import KernelCall, LayerContext, RenderedLayer
from edgeflow.graph.ir import Graph, Node, OpKind

_FUNCTION = "edgeflow_mve_fully_connected"
_PACKED_FUNCTION = "edgeflow_mve_packed_fully_connected"


def working_bytes(graph: Graph, node: Node) -> int:
    """Working memory: unpacked weights, or what the DSP set's kernel wants that takes the layer."""
    found = dense_outputs(graph, node)
    return dsp_c.scratch_bytes(graph, node) if found is None else unpacking_bytes(graph, node)


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    found = dense_outputs(layer.graph, layer.node)
    if found is None:
        return dsp_c.RENDERERS[OpKind.FULLY_CONNECTED](layer)
    weights = stored(layer, found.rows, f"weights {list(layer.input(1).shape)}")
    scales = output_scales(layer, found)
    outputs, inputs = found.rows.shape
    fields: dict[str, Value] = {
        "weights": weights.place,
        "inputs": inputs,
        "outputs": outputs,
        "base": found.base,
        "minus_shift": -found.shift,
        "minimum": found.range.minimum,
        "maximum": found.range.maximum,
        **scales.fields,
    }
    function = _FUNCTION
    memory: tuple[Expression, ...] = ()
    if is_packed(layer.graph, layer.node):
        function, memory = _PACKED_FUNCTION, (layer.scratch(),)
        fields = {"layer": fields, **weights.packed_fields}
    call = KernelCall(
        function=function,
        header=f"{_FUNCTION}.h",
        layer_type=f"{function}_layer",
        layer=fields,
        arguments=(
            layer.place(layer.node.inputs[0]),
            *memory,
            layer.place(layer.node.outputs[0]),
        ),
        sources=(f"{_FUNCTION}.c", f"{_FUNCTION}.S", f"{function}.c", *weights.sources),
    )
    return RenderedLayer((call,), (weights.array, *scales.arrays))
