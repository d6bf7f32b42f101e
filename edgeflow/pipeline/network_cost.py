"""What an untrained network costs on a target: estimated, and counted on its device."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeflow.backends.firmware.options import RowExecution
from edgeflow.errors import DoesNotFitError
from edgeflow.figures import FigureKind
from edgeflow.grow.cost import CostOf, Count, DeviceCost, NetworkCost
from edgeflow.nets.network import NetworkSpec
from edgeflow.profiles import registry
from edgeflow.targets.schema import Target

if TYPE_CHECKING:
    from edgeflow.graph.ir import Graph
    from edgeflow.profiles.prediction import CostModel

PROFILE = "reference-networks"


@dataclass(frozen=True)
class Deployment:
    """How a network will be built: what decides its bytes and instructions on the target."""

    target: Target
    weight_bits: int
    row_by_row: RowExecution
    ram_budget_bytes: int | None


def profile_digest(target: Target) -> str | None:
    """The sha256 of the profile that estimates are made from; None where there is none."""
    name = f"{target.name}/{PROFILE}"
    if name not in registry.names():
        return None
    return hashlib.sha256(registry.load(name).model_dump_json().encode()).hexdigest()


def profiles_digest(target: Target) -> str:
    """The sha256 of all profiles that costs on a target come from."""
    digest = hashlib.sha256()
    for name in registry.names():
        if name.startswith(f"{target.name}/"):
            digest.update(registry.load(name).model_dump_json().encode())
    return digest.hexdigest()


def target_cost_model(target: Target) -> CostModel | None:
    """The model of the target's shipped profile; None where it has none."""
    from edgeflow.profiles.prediction import fit_cost_model

    name = f"{target.name}/{PROFILE}"
    return fit_cost_model(registry.load(name)) if name in registry.names() else None


def estimated_cost(deployment: Deployment, count: Count) -> CostOf:
    """Costs by the target's profile; counted on the device where the profile cannot tell.

    A network that the profile cannot tell and the device does not hold has infinite cost.
    """
    model = target_cost_model(deployment.target)

    def cost(spec: NetworkSpec) -> NetworkCost:
        from edgeflow.graph import cost as operator_cost
        from edgeflow.lower.untrained import untrained_graph

        graph = untrained_graph(spec, deployment.weight_bits)
        weight_bytes = sum(operator_cost.weight_bytes(graph, node) for node in graph.nodes)
        instructions, kind = _instructions(graph, model)
        if instructions is None:
            counted = count(spec)
            instructions = float("inf") if counted is None else float(counted.instructions)
            kind = FigureKind.ESTIMATED if counted is None else counted.kind
        return NetworkCost(instructions, weight_bytes, _largest_step_bytes(graph), kind)

    return cost


def counted_cost(deployment: Deployment) -> Count:
    """Costs by a build for the target and one inference on its device, each network once."""
    known: dict[str, DeviceCost | None] = {}

    def count(spec: NetworkSpec) -> DeviceCost | None:
        key = spec.model_dump_json()
        if key not in known:
            known[key] = _count(spec, deployment)
        return known[key]

    return count


def _instructions(graph: Graph, model: CostModel | None) -> tuple[float | None, FigureKind]:
    """The sum over the layers, `estimated` where a single one is; None without a profile's word."""
    from edgeflow.graph import cost as operator_cost
    from edgeflow.graph.ir import OpKind
    from edgeflow.profiles.prediction import predict

    if model is None:
        return None, FigureKind.ESTIMATED
    total, kind = 0.0, model.kind
    for node in graph.nodes:
        if node.kind is OpKind.RESHAPE:  # an alias in the arena: no instructions
            continue
        signature = operator_cost.signature(graph, node)
        found = predict(model, signature, operator_cost.precision(graph, node))
        if found is None:
            return None, FigureKind.ESTIMATED
        total += found.value
        kind = kind if found.kind is model.kind else FigureKind.ESTIMATED
    return total, kind


def _largest_step_bytes(graph: Graph) -> int:
    def held(names: tuple[str, ...]) -> int:
        tensors = (graph.tensors[name] for name in names)
        return sum(int(np.prod(t.shape)) for t in tensors if not t.is_constant)

    return max((held((*node.inputs, *node.outputs)) for node in graph.nodes), default=0)


def _count(spec: NetworkSpec, deployment: Deployment) -> DeviceCost | None:
    from edgeflow.lower.untrained import untrained_graph

    return count_graph(untrained_graph(spec, deployment.weight_bits), deployment)


def count_graph(graph: Graph, deployment: Deployment) -> DeviceCost | None:
    """What a build of `graph` takes of the device, by one inference; None where it does not fit."""
    from edgeflow.backends.firmware.choice import choose_segments
    from edgeflow.backends.firmware.codegen import generate
    from edgeflow.backends.firmware.toolchain import build_image
    from edgeflow.devices.device import RunLimits
    from edgeflow.devices.registry import device_for
    from edgeflow.pipeline.steps.generate import arena_limit_bytes

    target, kernel_set = deployment.target, deployment.target.firmware.kernel_set
    limit = arena_limit_bytes(target, deployment.ram_budget_bytes)
    segments = choose_segments(graph, kernel_set, deployment.row_by_row, limit)
    try:
        image = build_image(generate(graph, kernel_set, segments), target)
    except DoesNotFitError:
        return None
    x = np.zeros((1, *graph.tensors[graph.inputs[0]].shape[1:]), dtype=np.int8)
    run = device_for(target).run(image, x, RunLimits())
    stack = image.stack_bytes if run.stack_bytes is None else run.stack_bytes
    return DeviceCost(
        instructions=int(run.instructions.max()),
        flash_bytes=image.flash_bytes,
        ram_bytes=image.ram_bytes + stack,
        kind=run.kind,
    )
