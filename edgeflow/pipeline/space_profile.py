"""Profiles of search spaces: every candidate's layers, measured in whole networks on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from edgeflow.errors import DoesNotFitError, ProfileFileError
from edgeflow.figures import Unit
from edgeflow.graph import cost
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.pipeline.profiling import (
    NetworkRun,
    compiler,
    flags,
    rows,
    run_layers,
    runtime,
)
from edgeflow.profiles.schema import SCHEMA_VERSION, Additivity, Header, Profile, Row
from edgeflow.progress import Progress, ProgressEvent
from edgeflow.search.baselines import smallest_choice
from edgeflow.search.space import (
    Choice,
    Space,
    assembly,
    covering,
    random_choice,
)
from edgeflow.targets.schema import Target

if TYPE_CHECKING:
    from edgeflow.devices.device import DeviceRun

STAGE = "profile"
HELD_OUT_SEED = 1
_SEED = 0
_INPUTS = 2
_WITHIN = 0.02
# Of an 8-bit row that is measured again in another network: weights and inputs move it that far.
_SAME_KERNEL = 0.05
_MOST_DRAWN = 10  # random networks for each that is wanted: some do not fit the target

PROTOCOL = (
    "Networks that together hold every candidate of the space, untrained, with grids from random "
    f"inputs; {_INPUTS} random inputs each. Instructions from a layer's entry to its return, the "
    "functions that it calls included; but for depthwise layers of 2-bit weights they hardly "
    "depend on values, so weights and inputs need no training. No layer runs row by row. "
    "flash_bytes: the layer's constants and its own function; the kernels, which layers share, are "
    "not counted. ram_bytes: the layer's inputs, its output and the scratch of its kernel. "
    "additivity: the sum of the rows against whole networks with a random candidate in every cell."
)


@dataclass(frozen=True, eq=False)
class ProfileRequest:
    """What is profiled, under which name, and how many random networks check the sums."""

    name: str
    target: Target
    spaces: tuple[Space, ...]
    held_out: int
    day: date
    command: str


@dataclass(eq=False)
class _Measuring:
    """What is known while it grows: rows by key, and the device that the last network ran on."""

    request: ProfileRequest
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    device: DeviceRun | None = None

    def profile(self, header: Header | None, additivity: Additivity | None) -> Profile:
        found = self.header(additivity) if self.device is not None else header
        assert found is not None, "nothing was measured"
        return Profile(
            schema_version=SCHEMA_VERSION,
            name=self.request.name,
            header=found.model_copy(update={"additivity": additivity}),
            rows=tuple(self.rows[key] for key in sorted(self.rows)),
        )

    def header(self, additivity: Additivity | None) -> Header:
        target, device = self.request.target, self.device
        assert device is not None
        return Header(
            target=target.name,
            device=device.source,
            runtime=runtime(target),
            compiler=compiler(),
            flags=flags(target),
            date=self.request.day,
            protocol=PROTOCOL,
            kind=device.kind,
            unit=Unit.INSTRUCTIONS,
            command=self.request.command,
            additivity=additivity,
        )

    def measure(self, graph: Graph) -> NetworkRun:
        run = run_layers(self.request.target, graph, _INPUTS, _SEED)
        self.device = run.device
        for row in rows(run.layers):
            if row.key in self.rows:
                _require_alike(self.request, self.rows[row.key], row)
            else:
                self.rows[row.key] = row
        return run


def profile_spaces(
    request: ProfileRequest,
    known: Profile | None,
    keep: Callable[[Profile], None],
    progress: Progress,
) -> Profile:
    """The profile of some spaces: the rows of `known`, and those that it lacks.

    `keep` gets the profile after every network that was measured, so that an interrupted run goes
    on from there. Raises ProfileFileError where `known` comes from another device, compiler,
    runtime or other kernels, and DoesNotFitError for a candidate that the target does not hold.
    """
    measuring = _Measuring(request, {} if known is None else {row.key: row for row in known.rows})
    if known is not None:
        _require_the_same(known.header, request)
    header = None if known is None else known.header
    choices = [(space, choice) for space in request.spaces for choice in covering(space)]
    for done, (space, choice) in enumerate(choices, start=1):
        if _measure(measuring, space, choice):
            keep(measuring.profile(header, None))
        progress(ProgressEvent(STAGE, f"{len(measuring.rows):,} operators", done, len(choices)))
    found = measuring.profile(header, additivity(request, measuring, progress))
    keep(found)
    return found


def _measure(measuring: _Measuring, space: Space, choice: Choice) -> bool:
    """Measure what is lacking of a choice's operators; whether anything was.

    Where the network whole does not fit, its cells come one by one, the others as they are at their
    smallest.
    """
    graph = _graph(space, choice)
    if all(key in measuring.rows for key in keys(graph)):
        return False
    try:
        measuring.measure(graph)
    except DoesNotFitError:
        smallest = smallest_choice(space)
        for number, index in enumerate(choice):
            alone = _graph(space, (*smallest[:number], index, *smallest[number + 1 :]))
            if any(key not in measuring.rows for key in keys(alone)):
                measuring.measure(alone)
    return True


def additivity(
    request: ProfileRequest, measuring: _Measuring, progress: Progress
) -> Additivity | None:
    """How far the sums of rows are from random networks that the target holds, each run whole.

    They come from the spaces in turn. None for `held_out` 0.
    """
    generator = np.random.default_rng(HELD_OUT_SEED)
    errors: list[float] = []
    for drawn in range(_MOST_DRAWN * request.held_out):
        space = request.spaces[drawn % len(request.spaces)]
        graph = _graph(space, random_choice(space, generator))
        try:
            run = run_layers(request.target, graph, 1, HELD_OUT_SEED)
        except DoesNotFitError:
            continue
        measuring.device = run.device
        whole = float(run.device.instructions[0])
        told = sum(measuring.rows[key].median for key in keys(graph))
        errors.append(abs(told - whole) / whole)
        worst = f"the sum of rows is off by at most {max(errors):.2%}"
        done = len(errors)
        progress(ProgressEvent(STAGE, f"random networks: {worst}", done, request.held_out))
        if done == request.held_out:
            break
    if not errors:
        return None
    return Additivity(
        networks=len(errors),
        seed=HELD_OUT_SEED,
        median_error=round(float(np.median(errors)), 6),
        p95_error=round(float(np.percentile(errors, 95)), 6),
        largest_error=round(max(errors), 6),
        share_within_2_percent=float(np.mean(np.array(errors) <= _WITHIN)),
    )


def keys(graph: Graph) -> list[tuple[str, str]]:
    """The key of every layer that takes instructions; a reshape is an alias in the arena."""
    return [
        (cost.signature(graph, node), cost.precision(graph, node))
        for node in graph.nodes
        if node.kind is not OpKind.RESHAPE
    ]


def _graph(space: Space, choice: Choice) -> Graph:
    from edgeflow.lower.untrained import untrained_graph

    found = assembly(space, choice)
    return untrained_graph(found.spec, found.weight_bits)


def _require_the_same(header: Header, request: ProfileRequest) -> None:
    """Rows of two ways to measure do not belong in one profile."""
    target = request.target
    pairs = {
        "target": (header.target, target.name),
        "runtime": (header.runtime, runtime(target)),
        "compiler": (header.compiler, compiler()),
        "flags": (header.flags, flags(target)),
        "protocol": (header.protocol, PROTOCOL),
    }
    for name, (was, now) in pairs.items():
        if was != now:
            raise ProfileFileError(
                f"the profile {header.target}/{request.name} was made with another {name}: "
                f"{was}; it is now {now}",
                hint="give the new one another --name, or remove the file to measure all rows anew",
            )


def _require_alike(request: ProfileRequest, known: Row, again: Row) -> None:
    """What is measured along with new rows shows whether the kernels are still those of the old.

    Kernels of narrower weights may depend on values; those of 8 bits are enough to tell.
    """
    differs = abs(again.median - known.median) > _SAME_KERNEL * known.median
    if known.precision.startswith("w8") and differs:
        raise ProfileFileError(
            f"the profile {request.target.name}/{request.name} was made with other kernels: "
            f"{known.signature} took {known.median:,.0f} {Unit.INSTRUCTIONS} and takes "
            f"{again.median:,.0f} now",
            hint="give the new one another --name, or remove the file to measure all rows anew",
        )
