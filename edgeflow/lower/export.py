"""A torch network to the integer graph."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeflow.errors import DataError, ModelError
from edgeflow.graph.checker import check
from edgeflow.graph.ir import Graph
from edgeflow.lower.builder import GraphBuilder
from edgeflow.lower.lowerings import LOWERINGS
from edgeflow.quantize.freeze import freeze
from edgeflow.quantize.grids import FixedGrid, calibrate
from edgeflow.quantize.network import StepNetwork
from edgeflow.quantize.trace import trace


def lower(
    module: nn.Module, calibration_inputs: NDArray[np.float32], name: str = "network"
) -> Graph:
    """The checked integer graph of `module`; inputs [N, C, H, W] become int8 [1, H, W, C].

    A StepNetwork keeps the grids that quantization gave it. Any other module is traced, and gets
    grids from the largest weights and from the smallest and largest activations that
    `calibration_inputs` cause. An output [N, C, H, W] is [1, H, W, C] in the graph.
    Raises ModelError, UnsupportedOperatorError, DataError.
    """
    network = _on_fixed_grids(module, calibration_inputs)
    builder = GraphBuilder(network)
    absorbed = set(builder.fused.values())
    for step in network.steps:
        if step.name not in absorbed:
            LOWERINGS[type(network.operator(step.name))](builder, step)
    if not builder.nodes:
        raise ModelError(
            f"{type(module).__name__} does nothing: its output is its input",
            hint="pass a network with at least one layer",
        )
    builder.require_natural_order(network.output, network.steps[-1])
    graph = builder.graph(name)
    check(graph)
    return graph


def _on_fixed_grids(module: nn.Module, calibration_inputs: NDArray[np.float32]) -> StepNetwork:
    if isinstance(module, StepNetwork) and len(module.quantizers):
        fixed = all(isinstance(q, FixedGrid) for q in module.quantizers.values())
        return module if fixed else freeze(module)
    inputs = torch.from_numpy(np.array(calibration_inputs, dtype=np.float32))
    if inputs.ndim < 2 or not len(inputs) or not bool(inputs.isfinite().all()):
        raise DataError(
            f"calibration inputs of shape {tuple(inputs.shape)}, finite: "
            f"{bool(inputs.isfinite().all())}",
            hint="pass at least one typical input, [N, C, H, W], without NaN or infinity",
        )
    network = copy.deepcopy(module) if isinstance(module, StepNetwork) else trace(module, inputs)
    return calibrate(network, inputs)
