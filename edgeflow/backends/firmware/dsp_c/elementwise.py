"""ADD of two tensors of one shape as a call of `edgeflow_dsp_add`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeflow.backends.firmware import portable_c
from edgeflow.backends.firmware.c_text import Value
from edgeflow.backends.firmware.dsp_c.clamping import narrow_range
from edgeflow.backends.firmware.dsp_c.scaling import Scale, scale
from edgeflow.backends.firmware.kernel_set import KernelCall, LayerContext, RenderedLayer
from edgeflow.backends.firmware.portable_c.operands import operand_place
from edgeflow.graph.ir import OpKind
from edgeflow.graph.requantization import AddRequantization
from edgeflow.graph.requantize import add_requantization

_HALF = (2**30, 0)


@dataclass(frozen=True)
class _Operand:
    index: int
    zero_point: int
    multiplier: int
    shift: int

    @property
    def is_coarse(self) -> bool:
        return (self.multiplier, self.shift) == _HALF


def _operands(values: AddRequantization) -> tuple[_Operand, _Operand]:
    """The operand of the larger scale first; its multiplier is a half."""
    first = _Operand(0, values.input1_zero_point, values.input1_multiplier, values.input1_shift)
    second = _Operand(1, values.input2_zero_point, values.input2_multiplier, values.input2_shift)
    return (first, second) if first.is_coarse else (second, first)


def _fields(scale_: Scale) -> dict[str, Value]:
    return {"multiplier": scale_.multiplier, "base": scale_.base, "shift": scale_.shift}


def _fine_scale(operand: _Operand, left_shift: int) -> Scale | None:
    return scale(operand.multiplier, -operand.shift, 0, 255 << left_shift)


def add(layer: LayerContext) -> RenderedLayer:
    """ADD; operands that repeat take the portable kernel."""
    values = add_requantization(layer.graph, layer.node)
    coarse, fine = _operands(values)
    reach = 2 * 255 << (values.left_shift - 1)
    to = scale(values.output_multiplier, -values.output_shift, values.output_zero_point, reach)
    fine_scale = Scale(0, 0, 0) if fine.is_coarse else _fine_scale(fine, values.left_shift)
    shapes = {layer.input(0).shape, layer.input(1).shape, layer.output.shape}
    if len(shapes) > 1 or to is None or fine_scale is None or not coarse.is_coarse:
        return portable_c.RENDERERS[OpKind.ADD](layer)
    places = [operand_place(layer, operand.index) for operand in (coarse, fine)]
    call = KernelCall(
        function="edgeflow_dsp_add_equal_scales" if fine.is_coarse else "edgeflow_dsp_add",
        header="edgeflow_dsp_add.h",
        layer_type="edgeflow_dsp_add_layer",
        layer={
            "elements": int(np.prod(layer.output.shape)),
            "coarse_zero_point": coarse.zero_point,
            "fine_zero_point": fine.zero_point,
            "fine": _fields(fine_scale),
            "to": _fields(to),
        },
        arguments=(places[0][0], places[1][0], layer.place(layer.node.outputs[0])),
        sources=("edgeflow_dsp_add.c",),
    )
    clamp = narrow_range(layer, values.range)
    return RenderedLayer((call, *clamp), (*places[0][1], *places[1][1]))
