"""The portable C kernel set: each operator as calls of `kernels/portable_c`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgeflow.backends.firmware.portable_c import channelwise, elementwise, layout, reduction
from edgeflow.backends.firmware.portable_c.overlap import overlap_bytes
from edgeflow.backends.firmware.rendering import Renderer
from edgeflow.graph.ir import OpKind

__all__ = ["RENDERERS", "overlap_bytes", "scratch_bytes"]

scratch_bytes = channelwise.scratch_bytes

RENDERERS: Mapping[OpKind, Renderer] = MappingProxyType(
    {
        OpKind.CONV_2D: channelwise.conv_2d,
        OpKind.DEPTHWISE_CONV_2D: channelwise.depthwise_conv_2d,
        OpKind.FULLY_CONNECTED: channelwise.fully_connected,
        OpKind.ADD: elementwise.add,
        OpKind.MUL: elementwise.mul,
        OpKind.AVERAGE_POOL_2D: reduction.pool_2d,
        OpKind.MAX_POOL_2D: reduction.pool_2d,
        OpKind.MEAN: reduction.mean,
        OpKind.PAD: layout.pad,
        OpKind.RESHAPE: layout.reshape,
        OpKind.CONCATENATION: layout.concatenation,
        OpKind.SOFTMAX: reduction.softmax,
        OpKind.RELU: elementwise.relu,
        OpKind.RELU6: elementwise.relu,
        OpKind.LOGISTIC: elementwise.logistic,
        OpKind.QUANTIZE: elementwise.quantize,
    }
)
