"""The static memory plan: where in one arena each tensor lives, and how good that is.

Tensors that share storage (`sharing`) form a block; blocks get offsets from `placement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edgeflow.backends.firmware.placement import (
    Block,
    Cluster,
    Item,
    lower_bound_bytes,
    place,
)
from edgeflow.backends.firmware.segment import Overlap
from edgeflow.backends.firmware.sharing import (
    InPlace,
    Lifetime,
    Shares,
    Step,
    lifetimes_of,
    node_step,
    saved_bytes,
    share,
    tensor_bytes,
)
from edgeflow.graph.ir import Graph

ALIGNMENT_BYTES = 4


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets in one arena, in bytes; `arena_bytes` is never below `lower_bound_bytes`.

    `live` holds, per step, the tensors that must be in RAM while it runs; `peak_tensors` is that of
    the step which sets the lower bound. `proven_optimal`: no assignment of offsets for these blocks
    can be smaller.
    """

    offset_bytes: Mapping[str, int]
    scratch_offset_bytes: Mapping[str, int]
    arena_bytes: int
    lower_bound_bytes: int
    proven_optimal: bool
    live: tuple[tuple[str, ...], ...]
    peak_step: int
    peak_tensors: tuple[str, ...]
    in_place: tuple[InPlace, ...]
    alignment_bytes: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class _Arena:
    """Items by ("tensor", opening tensor) and ("scratch", step); where tensors start in theirs."""

    shares: Shares
    items: Mapping[tuple[str, str], Item]
    start_of: Mapping[str, int]


def _arena(
    graph: Graph,
    steps: Sequence[Step],
    lifetimes: Mapping[str, Lifetime],
    overlaps: Mapping[str, Overlap],
) -> _Arena:
    shares = share(graph, steps, lifetimes, overlaps)
    members: dict[str, list[str]] = {}
    for name, block in shares.block_of.items():
        members.setdefault(block, []).append(name)
    items: dict[tuple[str, str], Item] = {}
    start_of: dict[str, int] = {}
    for block, names in members.items():
        low = min(shares.offset_of[name] for name in names)
        start_of.update({name: shares.offset_of[name] - low for name in names})
        parts = sorted((start_of[n], _block_of(graph, lifetimes[n], n)) for n in names)
        items["tensor", block] = Cluster(tuple(parts)) if len(parts) > 1 else parts[0][1]
    for index, step in enumerate(steps):
        if step.scratch_bytes > 0:
            items["scratch", step.name] = Block(step.scratch_bytes, index, index)
    return _Arena(shares, items, start_of)


def _block_of(graph: Graph, lifetime: Lifetime, name: str) -> Block:
    return Block(tensor_bytes(graph.tensors[name]), lifetime.first, lifetime.last)


def _worthwhile_overlaps(
    graph: Graph,
    steps: Sequence[Step],
    lifetimes: Mapping[str, Lifetime],
    alignment_bytes: int,
) -> dict[str, Overlap]:
    """Overlaps that lower the bound of the arena: added one by one to none, or taken from all.

    Those without which it would be the same are left out: they only tie tensors to each other.
    """

    def bound(overlaps: Mapping[str, Overlap]) -> int:
        items = _arena(graph, steps, lifetimes, overlaps).items
        return lower_bound_bytes(tuple(items.values()), alignment_bytes)[0]

    def size(overlap: Overlap) -> int:
        return sum(tensor_bytes(graph.tensors[n]) for n in (overlap.input, overlap.output))

    offered = {
        step.name: max(step.overlaps, key=lambda overlap: saved_bytes(graph, overlap))
        for step in steps
        if step.overlaps
    }
    order = sorted(offered, key=lambda name: size(offered[name]), reverse=True)
    grown: dict[str, Overlap] = {}
    pruned = {name: offered[name] for name in order}
    for name in order:
        trial = {**grown, name: offered[name]}
        if bound(trial) <= bound(grown):
            grown = trial
    for name in order:
        trial = {kept: overlap for kept, overlap in pruned.items() if kept != name}
        if bound(trial) < bound(pruned):
            pruned = trial
    chosen = min(grown, pruned, key=bound)
    least = bound(chosen)
    for name in reversed(order):
        trial = {kept: overlap for kept, overlap in chosen.items() if kept != name}
        if name in chosen and bound(trial) == least:
            chosen = trial
    return chosen


def plan(
    graph: Graph,
    steps: Sequence[Step] | None = None,
    *,
    alignment_bytes: int = ALIGNMENT_BYTES,
) -> MemoryPlan:
    """Place every tensor between the steps, and their working memory, in one arena.

    Args:
        graph: a checked graph.
        steps: all of its nodes in order, alone or in segments; each alone if not given.
        alignment_bytes: every offset is a multiple of it (a power of two).
    """
    steps = tuple(map(node_step, graph.nodes)) if steps is None else tuple(steps)
    lifetimes = lifetimes_of(graph, steps)
    overlaps = _worthwhile_overlaps(graph, steps, lifetimes, alignment_bytes)
    arenas = [_arena(graph, steps, lifetimes, chosen) for chosen in ({}, overlaps)]
    placements = [place(tuple(a.items.values()), alignment_bytes) for a in arenas]
    smaller = min(range(len(arenas)), key=lambda index: placements[index].arena_bytes)
    arena, placement = arenas[smaller], placements[smaller]
    offsets = dict(zip(arena.items, placement.offset_bytes, strict=True))
    live = tuple(
        tuple(sorted(n for n, span in lifetimes.items() if span.first <= index <= span.last))
        for index in range(len(steps))
    )
    bound, peak_step = lower_bound_bytes(tuple(arena.items.values()), alignment_bytes)
    return MemoryPlan(
        offset_bytes=MappingProxyType(
            {
                name: offsets["tensor", block] + arena.start_of[name]
                for name, block in arena.shares.block_of.items()
            }
        ),
        scratch_offset_bytes=MappingProxyType(
            {name: offset for (role, name), offset in offsets.items() if role == "scratch"}
        ),
        arena_bytes=placement.arena_bytes,
        lower_bound_bytes=bound,
        proven_optimal=placement.proven_optimal,
        live=live,
        peak_step=peak_step,
        peak_tensors=live[peak_step] if live else (),
        in_place=arena.shares.in_place,
        alignment_bytes=alignment_bytes,
        steps=steps,
    )
