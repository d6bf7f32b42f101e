"""Which tensors share storage, and the lifetimes that decide it.

RESHAPE aliases its input, an element-by-element operator may write onto an input that dies there,
and a kernel or segment that says so may write over an input at a distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeflow.backends.firmware.rows import ELEMENTWISE_KINDS
from edgeflow.backends.firmware.segment import Overlap
from edgeflow.graph.ir import DType, Graph, Node, OpKind, Tensor

_ELEMENT_BYTES = {DType.INT8: 1, DType.INT32: 4}


@dataclass(frozen=True)
class Step:
    """What runs at once: one node, or a segment of nodes that run row by row (`kind` None).

    Inputs may be constants. `overlaps` are outputs that may take the storage of an input which dies
    here, at a distance that is a multiple of the alignment. `scratch_bytes` is working memory, live
    only while the step runs.
    """

    name: str
    kind: OpKind | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    overlaps: tuple[Overlap, ...] = ()
    scratch_bytes: int = 0


@dataclass(frozen=True)
class InPlace:
    """A step whose output takes the storage of one of its inputs, `distance_bytes` before it."""

    node: str
    input: str
    output: str
    distance_bytes: int = 0


def node_step(node: Node) -> Step:
    """The step of a node alone that needs no working memory and no overlap."""
    return Step(node.name, node.kind, node.inputs, node.outputs)


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor in RAM."""
    return int(np.prod(tensor.shape, dtype=np.int64)) * _ELEMENT_BYTES[tensor.dtype]


def saved_bytes(graph: Graph, overlap: Overlap) -> int:
    """What an output saves by taking the storage of an input."""
    given, taken = (tensor_bytes(graph.tensors[n]) for n in (overlap.input, overlap.output))
    union = max(given, taken - overlap.distance_bytes) + overlap.distance_bytes
    return taken + given - union


@dataclass(frozen=True)
class Lifetime:
    """First and last step at which a tensor must be in RAM, both included."""

    first: int
    last: int


def lifetimes_of(graph: Graph, steps: Sequence[Step]) -> dict[str, Lifetime]:
    """Lifetimes of every tensor in RAM: inputs from step 0, outputs beyond the last step."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for index, step in enumerate(steps):
        for name in step.outputs:
            first[name] = last[name] = index
        for name in step.inputs:
            if name in first:
                last[name] = index
    for name in graph.outputs:
        if name in first:
            last[name] = len(steps)
    return {name: Lifetime(first[name], last[name]) for name in first}


class _Sharing:
    """Which tensors share storage: a block is named by the tensor that opened it."""

    def __init__(self, lifetimes: Mapping[str, Lifetime]) -> None:
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


def _reusable_input(graph: Graph, step: Step, index: int, sharing: _Sharing) -> str | None:
    """The input whose storage the output of a step of one node may take as it is, if any."""
    output = graph.tensors[step.outputs[0]]
    in_ram = [name for name in step.inputs if not graph.tensors[name].is_constant]
    if step.kind is OpKind.RESHAPE:
        return in_ram[0] if in_ram else None
    if step.kind not in ELEMENTWISE_KINDS:
        return None
    for name in in_ram:
        tensor = graph.tensors[name]
        same_size = tensor_bytes(tensor) == tensor_bytes(output)
        if same_size and tensor.dtype is output.dtype and sharing.dies_at(name, index):
            return name
    return None


@dataclass(frozen=True)
class Shares:
    """Which tensors share storage: block and place in it of each tensor, and how it came about."""

    block_of: Mapping[str, str]
    offset_of: Mapping[str, int]
    in_place: tuple[InPlace, ...]


def share(
    graph: Graph,
    steps: Sequence[Step],
    lifetimes: Mapping[str, Lifetime],
    overlaps: Mapping[str, Overlap],
) -> Shares:
    """Shared storage where steps may work in place; of `overlaps`, by step, all that can."""
    sharing = _Sharing(lifetimes)
    pairs: list[InPlace] = []
    for index, step in enumerate(steps):
        found = None
        source = _reusable_input(graph, step, index, sharing)
        if source is not None:
            found = Overlap(source, step.outputs[0], 0)
        elif step.name in overlaps:
            wanted = overlaps[step.name]
            if wanted.input in lifetimes and sharing.dies_at(wanted.input, index):
                found = wanted
        if found is not None:
            sharing.join(found.output, found.input, found.distance_bytes)
            pairs.append(InPlace(step.name, found.input, found.output, found.distance_bytes))
    return Shares(
        {name: sharing.block_of(name) for name in lifetimes},
        {name: sharing.offset_of(name) for name in lifetimes},
        tuple(pairs),
    )
