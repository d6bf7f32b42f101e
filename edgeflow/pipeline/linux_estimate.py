"""The time of generated code on a board that is not at hand, from profiles measured there."""

from __future__ import annotations

from edgeflow.figures import Unit
from edgeflow.graph import cost
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.profiles import registry
from edgeflow.profiles.prediction import fit_cost_model, predict
from edgeflow.profiles.schema import Profile
from edgeflow.targets.schema import Target


def profiled_seconds(graph: Graph, target: Target) -> tuple[float, str] | None:
    """Seconds of an inference, as the sum of its layers' rows, and the profiles' names.

    Layers without a row are predicted. None where no profile of the target has seconds, where its
    profiles come from several devices, or where they know nothing of an operator.
    """
    found = [
        (name, profile)
        for name in registry.names()
        if name.startswith(f"{target.name}/")
        and (profile := registry.load(name)).header.unit is Unit.SECONDS
    ]
    if not found or not _of_one_device([profile for _, profile in found]):
        return None
    first, *others = (profile for _, profile in found)
    model = fit_cost_model(first, [row for profile in others for row in profile.rows])
    total = 0.0
    for node in graph.nodes:
        if node.kind is OpKind.RESHAPE:  # an alias in the arena
            continue
        row = predict(model, cost.signature(graph, node), cost.precision(graph, node))
        if row is None:
            return None
        total += row.value
    return total, f"profiles {', '.join(name for name, _ in found)}, {first.header.device}"


def _of_one_device(profiles: list[Profile]) -> bool:
    return len({(p.header.device, p.header.power_mode) for p in profiles}) == 1
