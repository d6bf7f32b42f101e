"""FULLY_CONNECTED as inner products of the input with four outputs at a time."""

from __future__ import annotations

import numpy as np

from edgeflow.backends.firmware import dsp_c
from edgeflow.backends.firmware.c_text import CType, Expression, Value
from edgeflow.backends.firmware.dsp_c.scaling import wrapped
from edgeflow.backends.firmware.kernel_set import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.mve_c.constants import in_lanes
from edgeflow.backends.firmware.one_multiply import DenseOutputs, dense_outputs
from edgeflow.backends.firmware.packing import stored_bits
from edgeflow.graph.ir import Graph, Node, OpKind

_FUNCTION = "edgeflow_mve_fully_connected"


def _fast_outputs(graph: Graph, node: Node) -> DenseOutputs | None:
    """The outputs of a layer of int8 weights for which the kernel is exact; else None."""
    return dense_outputs(graph, node) if stored_bits(graph.tensors[node.inputs[1]]) == 8 else None


def working_bytes(graph: Graph, node: Node) -> int:
    """Working memory: none, unless the DSP set's kernel takes the layer."""
    return 0 if _fast_outputs(graph, node) else dsp_c.scratch_bytes(graph, node)


def fully_connected(layer: LayerContext) -> RenderedLayer:
    """FULLY_CONNECTED."""
    found = _fast_outputs(layer.graph, layer.node)
    if found is None:
        return dsp_c.RENDERERS[OpKind.FULLY_CONNECTED](layer)
    weights = layer.constant(
        "weights", CType.INT8, found.rows, f"weights {list(layer.input(1).shape)}"
    )
    words = [in_lanes(wrapped(found.bias)), in_lanes(found.multipliers)]
    constants = layer.constant(
        "constants",
        CType.INT32,
        np.column_stack(words),
        "of each four outputs the biases, the multipliers",
    )
    outputs, inputs = found.rows.shape
    fields: dict[str, Value] = {
        "weights": Expression(weights.name),
        "constants": Expression(constants.name),
        "inputs": inputs,
        "outputs": outputs,
        "base": found.base,
        "minus_shift": -found.shift,
        "minimum": found.range.minimum,
        "maximum": found.range.maximum,
    }
    call = KernelCall(
        function=_FUNCTION,
        header=f"{_FUNCTION}.h",
        layer_type=f"{_FUNCTION}_layer",
        layer=fields,
        arguments=(layer.place(layer.node.inputs[0]), layer.place(layer.node.outputs[0])),
        sources=(f"{_FUNCTION}.c", f"{_FUNCTION}.S"),
    )
    return RenderedLayer((call,), (weights, constants))
