"""Depthwise convolutions as full ones, for compilers to which hls4ml gives no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeflow.backends.hls.block import Block, HlsNetwork
from edgeflow.backends.hls.drawing import products
from edgeflow.targets.schema import HlsCompiler


def for_compiler(network: HlsNetwork, compiler: HlsCompiler) -> HlsNetwork:
    """The network as the compiler's projects compute it: the same sums, weights between different
    channels zero.

    hls4ml 1.3.0 has no depthwise convolution for Quartus, and in the others' streams it takes other
    pixels than it should where windows of one pixel step over rows.
    """
    wrong = _any if compiler is HlsCompiler.QUARTUS else _steps_over_rows
    blocks = (_full(b) if b.kind == "DepthwiseConv2D" and wrong(b) else b for b in network.blocks)
    return replace(network, blocks=tuple(blocks))


def _any(_: Block) -> bool:
    return True


def _steps_over_rows(block: Block) -> bool:
    window = block.attributes["filt_height"], block.attributes["filt_width"]
    return window == (1, 1) and int(block.attributes["stride_height"]) > 1


def _full(block: Block) -> Block:
    own = {"depth_multiplier", "depthwise_data", "depthwise_quantizer"}
    kept = {name: value for name, value in block.attributes.items() if name not in own}
    weights = block.attributes["depthwise_data"]
    channels = weights.shape[2]
    spread = weights * np.eye(channels)
    return replace(
        block,
        kind="Conv2D",
        attributes={
            **kept,
            **products(spread.shape),
            "weight_data": spread,
            "weight_quantizer": None,
        },
        weights=spread.size,
        constant_bits=spread.size * block.types["weight"].bits,
    )
