"""The static memory plan: where in one arena each tensor lives, and how good that is.

Tensors that share storage form a block: RESHAPE aliases its input, an element-by-element operator
may write onto an input that dies there, and a kernel that says so may write over its input at a
distance. Blocks get offsets from `placement`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edgeflow.backends.firmware.placement import Block, lower_bound_bytes, place
from edgeflow.graph.ir import DType, Graph, Node, OpKind, Tensor

ALIGNMENT_BYTES = 4

# Their kernels read element i of an input before they write element i of the output.
ELEMENTWISE_KINDS = frozenset(
    {OpKind.RELU, OpKind.RELU6, OpKind.LOGISTIC, OpKind.QUANTIZE, OpKind.ADD, OpKind.MUL}
)

_ELEMENT_BYTES = {DType.INT8: 1, DType.INT32: 4}


@dataclass(frozen=True)
class InPlace:
    """A node whose output takes the storage of one of its inputs, `distance_bytes` before it."""

    node: str
    input: str
    output: str
    distance_bytes: int = 0


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets in one arena, in bytes; `arena_bytes` is never below `lower_bound_bytes`.

    `live` holds, per step (index into the graph's nodes), the tensors that must be in RAM while the
    node runs; `peak_tensors` is that of the step which sets the lower bound. `proven_optimal` is
    set where no assignment of offsets for these blocks can be smaller.
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


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor in RAM."""
    return int(np.prod(tensor.shape, dtype=np.int64)) * _ELEMENT_BYTES[tensor.dtype]


@dataclass(frozen=True)
class _Lifetime:
    """First and last step at which a tensor must be in RAM, both included."""

    first: int
    last: int


def _lifetimes(graph: Graph) -> dict[str, _Lifetime]:
    """Lifetimes of every tensor in RAM: inputs from step 0, outputs beyond the last step."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for step, node in enumerate(graph.nodes):
        for name in node.outputs:
            first[name] = last[name] = step
        for name in node.inputs:
            if name in first:
                last[name] = step
    for name in graph.outputs:
        if name in first:
            last[name] = len(graph.nodes)
    return {name: _Lifetime(first[name], last[name]) for name in first}


class _Sharing:
    """Which tensors share storage: a block is named by the tensor that opened it."""

    def __init__(self, lifetimes: Mapping[str, _Lifetime]) -> None:
        self._block = {name: name for name in lifetimes}
        self._offset = dict.fromkeys(lifetimes, 0)
        self._last = {name: lifetime.last for name, lifetime in lifetimes.items()}

    def block_of(self, name: str) -> str:
        return self._block[name]

    def offset_of(self, name: str) -> int:
        """Bytes from the start of the tensor that opened the block; may be negative."""
        return self._offset[name]

    def dies_at(self, name: str, step: int) -> bool:
        """Whether nothing in the tensor's block is read after `step`."""
        return self._last[self._block[name]] == step

    def join(self, output: str, source: str, distance_bytes: int) -> None:
        self._offset[output] = self._offset[source] - distance_bytes
        block = self._block[source]
        self._last[block] = max(self._last[block], self._last[output])
        self._block[output] = block


def _reusable_input(graph: Graph, node: Node, step: int, sharing: _Sharing) -> str | None:
    """The input whose storage the node's output may take, if any."""
    output = graph.tensors[node.outputs[0]]
    in_ram = [name for name in node.inputs if not graph.tensors[name].is_constant]
    if node.kind is OpKind.RESHAPE:
        return in_ram[0] if in_ram else None
    if node.kind not in ELEMENTWISE_KINDS:
        return None
    for name in in_ram:
        tensor = graph.tensors[name]
        same_size = tensor_bytes(tensor) == tensor_bytes(output)
        if same_size and tensor.dtype is output.dtype and sharing.dies_at(name, step):
            return name
    return None


@dataclass(frozen=True)
class _Shares:
    """Which tensors share storage: block and place in it of each tensor, and how it came about."""

    block_of: Mapping[str, str]
    offset_of: Mapping[str, int]
    in_place: tuple[InPlace, ...]


def _share(
    graph: Graph, lifetimes: Mapping[str, _Lifetime], overlap_bytes: Mapping[str, int]
) -> _Shares:
    """Shared storage where nodes may work in place; of those in `overlap_bytes`, all that can."""
    sharing = _Sharing(lifetimes)
    pairs: list[InPlace] = []
    for step, node in enumerate(graph.nodes):
        source = _reusable_input(graph, node, step, sharing)
        distance = 0
        if source is None and node.name in overlap_bytes:
            first = node.inputs[0]
            if first in lifetimes and sharing.dies_at(first, step):
                source, distance = first, overlap_bytes[node.name]
        if source is not None:
            sharing.join(node.outputs[0], source, distance)
            pairs.append(InPlace(node.name, source, node.outputs[0], distance))
    return _Shares(
        {name: sharing.block_of(name) for name in lifetimes},
        {name: sharing.offset_of(name) for name in lifetimes},
        tuple(pairs),
    )


@dataclass(frozen=True)
class _Arena:
    """Blocks by ("tensor", opening tensor) and ("scratch", node); where tensors start in theirs."""

    shares: _Shares
    blocks: Mapping[tuple[str, str], Block]
    start_of: Mapping[str, int]


def _arena(
    graph: Graph,
    lifetimes: Mapping[str, _Lifetime],
    scratch_bytes: Mapping[str, int],
    overlap_bytes: Mapping[str, int],
) -> _Arena:
    shares = _share(graph, lifetimes, overlap_bytes)
    members: dict[str, list[str]] = {}
    for name, block in shares.block_of.items():
        members.setdefault(block, []).append(name)
    blocks: dict[tuple[str, str], Block] = {}
    start_of: dict[str, int] = {}
    for block, names in members.items():
        low = min(shares.offset_of[name] for name in names)
        high = max(shares.offset_of[name] + tensor_bytes(graph.tensors[name]) for name in names)
        blocks["tensor", block] = Block(
            size_bytes=high - low,
            first=min(lifetimes[name].first for name in names),
            last=max(lifetimes[name].last for name in names),
        )
        start_of.update({name: shares.offset_of[name] - low for name in names})
    for step, node in enumerate(graph.nodes):
        if scratch_bytes.get(node.name, 0) > 0:
            blocks["scratch", node.name] = Block(scratch_bytes[node.name], step, step)
    return _Arena(shares, blocks, start_of)


def _worthwhile_overlaps(
    graph: Graph,
    lifetimes: Mapping[str, _Lifetime],
    scratch_bytes: Mapping[str, int],
    overlap_bytes: Mapping[str, int],
    alignment_bytes: int,
) -> dict[str, int]:
    """Overlaps that lower the bound of the arena: added one by one to none, or taken from all."""

    def bound(overlaps: Mapping[str, int]) -> int:
        blocks = _arena(graph, lifetimes, scratch_bytes, overlaps).blocks
        return lower_bound_bytes(tuple(blocks.values()), alignment_bytes)[0]

    def size(node: Node) -> int:
        return sum(tensor_bytes(graph.tensors[n]) for n in (node.inputs[0], node.outputs[0]))

    candidates = [node for node in graph.nodes if node.name in overlap_bytes]
    order = [node.name for node in sorted(candidates, key=size, reverse=True)]
    grown: dict[str, int] = {}
    pruned = {name: overlap_bytes[name] for name in order}
    for name in order:
        trial = {**grown, name: overlap_bytes[name]}
        if bound(trial) <= bound(grown):
            grown = trial
    for name in order:
        trial = {kept: distance for kept, distance in pruned.items() if kept != name}
        if bound(trial) < bound(pruned):
            pruned = trial
    return min(grown, pruned, key=bound)


def plan(
    graph: Graph,
    *,
    scratch_bytes: Mapping[str, int] = MappingProxyType({}),
    overlap_bytes: Mapping[str, int] = MappingProxyType({}),
    alignment_bytes: int = ALIGNMENT_BYTES,
) -> MemoryPlan:
    """Place every tensor that is not a constant, and the nodes' scratch buffers, in one arena.

    Args:
        graph: a checked graph.
        scratch_bytes: working memory per node name, live only while the node runs.
        overlap_bytes: per node name, how many bytes before its first input the output must start
            to overwrite it; multiples of the alignment. Used where the arena becomes smaller.
        alignment_bytes: every offset is a multiple of it (a power of two).
    """
    lifetimes = _lifetimes(graph)
    overlaps = _worthwhile_overlaps(graph, lifetimes, scratch_bytes, overlap_bytes, alignment_bytes)
    arenas = [_arena(graph, lifetimes, scratch_bytes, chosen) for chosen in ({}, overlaps)]
    placements = [place(tuple(a.blocks.values()), alignment_bytes) for a in arenas]
    smaller = min(range(len(arenas)), key=lambda index: placements[index].arena_bytes)
    arena, placement = arenas[smaller], placements[smaller]
    offsets = dict(zip(arena.blocks, placement.offset_bytes, strict=True))
    live = tuple(
        tuple(sorted(n for n, span in lifetimes.items() if span.first <= step <= span.last))
        for step in range(len(graph.nodes))
    )
    bound, peak_step = lower_bound_bytes(tuple(arena.blocks.values()), alignment_bytes)
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
    )
