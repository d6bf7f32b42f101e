"""What every candidate of a space costs on a target: from its profiles and the memory planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeflow.errors import DoesNotFitError, ProfileFileError
from edgeflow.figures import FigureKind, Unit
from edgeflow.graph import cost
from edgeflow.graph.ir import Graph, Node, OpKind
from edgeflow.pipeline.network_cost import Deployment, count_graph
from edgeflow.profiles import registry
from edgeflow.profiles.prediction import CostModel, fit_cost_model, predict
from edgeflow.profiles.schema import Profile, Row
from edgeflow.progress import Progress, ProgressEvent
from edgeflow.search.costs import CandidateCosts
from edgeflow.search.space import Assembly, Space, assembly, cell_of_layer, covering, original
from edgeflow.targets.schema import Target

STAGE = "costs"


@dataclass(frozen=True, eq=False)
class TargetProfile:
    """All that is known of operators on a target: a model of their cost, and rows by key."""

    model: CostModel
    rows: Mapping[tuple[str, str], Row]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SpaceCosts:
    """Costs of a space's candidates, and how they were found.

    `kind` is that of the instructions: `estimated` where an operator has no row. `predicted` of
    `operators` have none; `beyond` of them are larger than any of their kind in the profiles.
    """

    costs: CandidateCosts
    kind: FigureKind
    operators: int
    predicted: int
    beyond: int


@dataclass(frozen=True)
class _Layers:
    """What the layers of one cell take together; RAM is the most that one of them needs."""

    instructions: float = 0.0
    flash_bytes: float = 0.0
    ram_bytes: float = 0.0

    def with_layer(self, instructions: float, flash_bytes: float, ram_bytes: float) -> _Layers:
        return _Layers(
            self.instructions + instructions,
            self.flash_bytes + flash_bytes,
            max(self.ram_bytes, ram_bytes),
        )


def target_profile(target: Target) -> TargetProfile:
    """The rows of all profiles of a target that count instructions, in one.

    Raises ProfileFileError where there is none, or where two come from different kinds of devices.
    """
    found = [
        profile
        for name in registry.names()
        if name.startswith(f"{target.name}/")
        and (profile := registry.load(name)).header.unit is Unit.INSTRUCTIONS
    ]
    if not found:
        raise ProfileFileError(
            f"there is no profile of {target.name}",
            hint=f"`edgeflow profile --target {target.name} --network ...` measures one",
        )
    _require_one_device(found)
    first, *others = found
    rows = {row.key: row for profile in found for row in profile.rows}
    more = [row for profile in others for row in profile.rows]
    names = tuple(f"{profile.header.target}/{profile.name}" for profile in found)
    return TargetProfile(fit_cost_model(first, more), rows, names)


def candidate_costs(
    space: Space, deployment: Deployment, profile: TargetProfile, progress: Progress
) -> SpaceCosts:
    """The costs of all candidates: sums of rows; predictions where a row is missing.

    Flash and RAM of what is not in any layer (runtime, kernels, stack) are those of a build of the
    original network, and count as fixed. RAM is what a layer's step needs of the arena when no
    layer runs row by row, with the stack of that build.
    """
    table: list[dict[int, _Layers]] = [{} for _ in space.cells]
    numbers = {cell.index: number for number, cell in enumerate(space.cells)}
    fixed: _Layers | None = None
    told = _Told()
    choices = list(covering(space))
    for done, choice in enumerate(choices, start=1):
        found = assembly(space, choice)
        graph = _graph(found)
        by_cell = _by_cell(graph, found, deployment.target, profile, told)
        for index, number in numbers.items():
            table[number].setdefault(choice[number], by_cell.get(index, _Layers()))
        if fixed is None:
            fixed = _Layers()
            for index, layers in by_cell.items():
                if index not in numbers:
                    fixed = fixed.with_layer(
                        layers.instructions, layers.flash_bytes, layers.ram_bytes
                    )
        progress(ProgressEvent(STAGE, "costs of candidates", done, len(choices)))
    assert fixed is not None
    costs = _assembled(space, table, fixed)
    return SpaceCosts(
        costs=_with_the_rest(space, costs, deployment),
        kind=FigureKind.ESTIMATED if told.predicted else profile.model.kind,
        operators=len(told.keys),
        predicted=len(told.predicted),
        beyond=len(told.beyond),
    )


class _Told:
    """Keys of operators that were looked up, that have no row, and that lie beyond all rows."""

    def __init__(self) -> None:
        self.keys: set[tuple[str, str]] = set()
        self.predicted: set[tuple[str, str]] = set()
        self.beyond: set[tuple[str, str]] = set()


def _by_cell(
    graph: Graph, found: Assembly, target: Target, profile: TargetProfile, told: _Told
) -> dict[int, _Layers]:
    """What the layers of each of the teacher's cells take, by the cell's index."""
    from edgeflow.backends.firmware.arrangement import Workspace
    from edgeflow.backends.firmware.kernel_set import library
    from edgeflow.backends.firmware.segment_cost import node_bytes

    workspace = Workspace(graph, library(target.firmware.kernel_set))
    by_cell: dict[int, _Layers] = {}
    for place, node in enumerate(graph.nodes):
        if node.kind is OpKind.RESHAPE:  # an alias in the arena: no instructions
            continue
        index = cell_of_layer(found, node.name)
        instructions, flash_bytes = _layer(graph, node, profile, told)
        by_cell[index] = by_cell.get(index, _Layers()).with_layer(
            instructions, flash_bytes, node_bytes(workspace, place)
        )
    return by_cell


def _layer(graph: Graph, node: Node, profile: TargetProfile, told: _Told) -> tuple[float, float]:
    """Instructions and bytes of flash of one layer."""
    key = cost.signature(graph, node), cost.precision(graph, node)
    told.keys.add(key)
    row = profile.rows.get(key)
    if row is not None:
        return row.median, row.flash_bytes
    told.predicted.add(key)
    prediction = predict(profile.model, *key)
    if prediction is None:
        raise ProfileFileError(
            f"the profiles {', '.join(profile.names)} have no {node.kind} at {key[1]}",
            hint="`edgeflow profile --network ...` measures what the search needs",
        )
    if not prediction.in_range:
        told.beyond.add(key)
    return prediction.value, cost.weight_bytes(graph, node)


def _assembled(space: Space, table: list[dict[int, _Layers]], fixed: _Layers) -> CandidateCosts:
    def column(name: str) -> tuple[np.ndarray, ...]:
        return tuple(
            np.array([float(getattr(own[i], name)) for i in range(len(cell.candidates))])
            for cell, own in zip(space.cells, table, strict=True)
        )

    return CandidateCosts(
        instructions=column("instructions"),
        flash_bytes=column("flash_bytes"),
        ram_bytes=column("ram_bytes"),
        fixed_instructions=fixed.instructions,
        fixed_flash_bytes=fixed.flash_bytes,
        fixed_ram_bytes=fixed.ram_bytes,
    )


def _with_the_rest(space: Space, costs: CandidateCosts, deployment: Deployment) -> CandidateCosts:
    """With what no layer has: flash and RAM of a build, less what its layers take.

    Raises DoesNotFitError where not even the candidates of the least flash fit the target.
    """
    from edgeflow.backends.firmware.arrangement import arrange
    from edgeflow.backends.firmware.kernel_set import library

    smallest = tuple(int(own.argmin()) for own in costs.flash_bytes)
    for choice in (original(space), smallest):
        graph = _graph(assembly(space, choice))
        built = count_graph(graph, deployment)
        if built is not None:
            break
    else:
        raise DoesNotFitError(
            f"not even the smallest candidates fit {deployment.target.name}",
            hint="start from a teacher with fewer channels, or take a larger target",
        )
    layers = sum(float(own[i]) for own, i in zip(costs.flash_bytes, choice, strict=True))
    arena = arrange(graph, library(deployment.target.firmware.kernel_set), ()).memory.arena_bytes
    beside_flash = max(0.0, built.flash_bytes - layers - costs.fixed_flash_bytes)
    beside_arena = max(0.0, built.ram_bytes - arena)
    return CandidateCosts(
        instructions=costs.instructions,
        flash_bytes=costs.flash_bytes,
        ram_bytes=tuple(own + beside_arena for own in costs.ram_bytes),
        fixed_instructions=costs.fixed_instructions,
        fixed_flash_bytes=costs.fixed_flash_bytes + beside_flash,
        fixed_ram_bytes=costs.fixed_ram_bytes + beside_arena,
    )


def _graph(found: Assembly) -> Graph:
    from edgeflow.lower.untrained import untrained_graph

    return untrained_graph(found.spec, found.weight_bits)


def _require_one_device(profiles: list[Profile]) -> None:
    kinds = {profile.header.kind for profile in profiles}
    devices = {(p.header.device, p.header.clock_hz, p.header.power_mode) for p in profiles}
    if len(kinds) > 1 or len(devices) > 1:
        names = ", ".join(f"{p.header.target}/{p.name}" for p in profiles)
        raise ProfileFileError(
            f"the profiles {names} come from different devices or kinds of measurement",
            hint="keep one of them; `edgeflow profiles diff` says what differs",
        )
