"""Profiles of search spaces: every candidate's layers, measured in whole networks on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from edgeflow.errors import DoesNotFitError, ProfileFileError
from edgeflow.graph import cost
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.pipeline.profiling import INPUTS, Meter, NetworkRun, compiler, flags, rows
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

STAGE = "profile"
HELD_OUT_SEED = 1
_SEED = 0
_WITHIN = 0.02
_WITHIN_OF_TIMES = 0.1
_MOST_DRAWN = 10  # random networks for each that is wanted: some do not fit the target


@dataclass(frozen=True, eq=False)
class ProfileRequest:
    """What is profiled, under which name, and how many random networks check the sums."""

    name: str
    target: Target
    meter: Meter
    spaces: tuple[Space, ...]
    held_out: int
    day: date
    command: str


@dataclass(eq=False)
class _Measuring:
    """What is known while it grows: rows by key, and the device that the last network ran on."""

    request: ProfileRequest
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    last: NetworkRun | None = None

    def profile(self, header: Header | None, additivity: Additivity | None) -> Profile:
        found = self.header(additivity) if self.last is not None else header
        assert found is not None, "nothing was measured"
        return Profile(
            schema_version=SCHEMA_VERSION,
            name=self.request.name,
            header=found.model_copy(update={"additivity": additivity}),
            rows=tuple(self.rows[key] for key in sorted(self.rows)),
        )

    def header(self, additivity: Additivity | None) -> Header:
        target, meter, last = self.request.target, self.request.meter, self.last
        assert last is not None
        return Header(
            target=target.name,
            device=last.source,
            power_mode=meter.power_mode,
            runtime=meter.runtime,
            compiler=compiler(),
            flags=flags(target),
            date=self.request.day,
            protocol=meter.protocol,
            kind=last.kind,
            unit=meter.unit,
            command=self.request.command,
            additivity=additivity,
        )

    def measure(self, graph: Graph) -> NetworkRun:
        run = self.request.meter.measure(graph, INPUTS, _SEED)
        self.last = run
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
            run = request.meter.measure(graph, 1, HELD_OUT_SEED)
        except DoesNotFitError:
            continue
        measuring.last = run
        whole = float(np.median(run.whole))
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
        share_within_10_percent=float(np.mean(np.array(errors) <= _WITHIN_OF_TIMES)),
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
        "runtime": (header.runtime, request.meter.runtime),
        "compiler": (header.compiler, compiler()),
        "flags": (header.flags, flags(target)),
        "protocol": (header.protocol, request.meter.protocol),
        "device": (header.device, request.meter.device or header.device),
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
    alike = request.meter.alike
    differs = alike is not None and abs(again.median - known.median) > alike * known.median
    if known.precision.startswith("w8") and differs:
        raise ProfileFileError(
            f"the profile {request.target.name}/{request.name} was made with other kernels: "
            f"{known.signature} took {known.median:,.0f} {request.meter.unit} and takes "
            f"{again.median:,.0f} now",
            hint="give the new one another --name, or remove the file to measure all rows anew",
        )
