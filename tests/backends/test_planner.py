from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.backends.firmware.placement import (
    Block,
    Cluster,
    Placement,
    greedy,
    lower_bound_bytes,
    place,
)
from edgeflow.backends.firmware.planner import MemoryPlan, plan
from edgeflow.backends.firmware.segment import Overlap
from edgeflow.backends.firmware.sharing import Step, node_step, tensor_bytes
from edgeflow.graph.ir import (
    DType,
    Elementwise,
    Graph,
    NoAttributes,
    Node,
    OpKind,
    Pool2D,
    Quantization,
    Tensor,
    Window,
)
from tests.graph.strategies import Dialect, graphs

ALIGNMENTS = st.sampled_from([1, 4, 16])
_HALF = Quantization((0.5,), (0,))


@st.composite
def blocks(draw: st.DrawFn, most: int) -> list[Block]:
    def block() -> Block:
        first = draw(st.integers(0, 7))
        return Block(draw(st.integers(1, 60)), first, draw(st.integers(first, 7)))

    return [block() for _ in range(draw(st.integers(0, most)))]


def _assert_apart(values: list[Block], placement: Placement, alignment: int) -> None:
    spans = list(zip(values, placement.offset_bytes, strict=True))
    for index, (one, low) in enumerate(spans):
        assert low >= 0
        assert low % alignment == 0
        assert low + one.size_bytes <= placement.arena_bytes
        for other, at in spans[:index]:
            if one.meets(other):
                assert low + one.size_bytes <= at or at + other.size_bytes <= low


def _stacked_bytes(values: list[Block], order: tuple[int, ...], alignment: int) -> int:
    """Arena when blocks are put, one after the other, at the lowest free aligned offset."""
    offsets: dict[int, int] = {}
    for index in order:
        offset = 0
        while any(
            values[index].meets(values[other])
            and offset < at + values[other].size_bytes
            and at < offset + values[index].size_bytes
            for other, at in offsets.items()
        ):
            offset += alignment
        offsets[index] = offset
    return max((at + values[i].size_bytes for i, at in offsets.items()), default=0)


@settings(deadline=None, max_examples=60)
@given(values=blocks(most=12), alignment=ALIGNMENTS)
def test_blocks_that_live_together_never_overlap(values, alignment):
    placement = place(values, alignment)
    _assert_apart(values, placement, alignment)
    assert lower_bound_bytes(values, alignment)[0] <= placement.arena_bytes


@settings(deadline=None, max_examples=60)
@given(values=blocks(most=5), alignment=ALIGNMENTS)
def test_a_proof_of_optimality_holds_against_every_order(values, alignment):
    placement = place(values, alignment)
    best = min(_stacked_bytes(values, p, alignment) for p in permutations(range(len(values))))
    assert placement.proven_optimal
    assert placement.arena_bytes == best


def test_the_exact_search_beats_every_greedy_order():
    spans = ((3, 1, 4), (8, 5, 5), (4, 3, 5), (9, 3, 3), (2, 4, 5), (8, 0, 0), (2, 1, 4))
    values = [Block(*span) for span in spans]
    offsets = greedy(values, 1)
    stacked = max(o + b.size_bytes for o, b in zip(offsets, values, strict=True))
    placement = place(values, 1)
    assert stacked == 19
    assert placement.arena_bytes == lower_bound_bytes(values, 1)[0] == 18
    assert placement.proven_optimal


def test_the_lower_bound_counts_alignment_but_not_behind_the_last_block():
    assert lower_bound_bytes([Block(5, 0, 0), Block(6, 0, 0)], 4) == (8 + 5, 0)


def _shares(memory: MemoryPlan) -> dict[str, str]:
    """Tensor -> the tensor that opened its storage, following the declared pairs."""
    opened: dict[str, str] = {}
    for pair in memory.in_place:
        opened[pair.output] = opened.get(pair.input, pair.input)
    return opened


def _assert_plan_holds(graph: Graph, memory: MemoryPlan) -> None:
    assert memory.lower_bound_bytes <= memory.arena_bytes
    opened = _shares(memory)
    for live in memory.live:
        for index, one in enumerate(live):
            low, size = memory.offset_bytes[one], tensor_bytes(graph.tensors[one])
            assert low % memory.alignment_bytes == 0
            assert low + size <= memory.arena_bytes
            for other in live[:index]:
                at = memory.offset_bytes[other]
                apart = low + size <= at or at + tensor_bytes(graph.tensors[other]) <= low
                assert apart or opened.get(one, one) == opened.get(other, other)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    graph=graphs(max_nodes=12, max_inputs=2, max_outputs=2, dialect=Dialect.EDGEFLOW),
    alignment=ALIGNMENTS,
    scratch=st.integers(0, 100),
)
def test_live_tensors_of_random_graphs_overlap_only_where_declared(graph, alignment, scratch):
    steps = [replace(node_step(node), scratch_bytes=scratch) for node in graph.nodes]
    memory = plan(graph, steps, alignment_bytes=alignment)
    _assert_plan_holds(graph, memory)
    if scratch:
        for live, node in zip(memory.live, graph.nodes, strict=True):
            at = memory.scratch_offset_bytes[node.name]
            for name in live:
                low = memory.offset_bytes[name]
                high = low + tensor_bytes(graph.tensors[name])
                assert at + scratch <= low or high <= at


def _graph(nodes: list[Node], outputs: tuple[str, ...], elements: int = 64) -> Graph:
    names = {"x"} | {name for node in nodes for name in (*node.inputs, *node.outputs)}
    tensors = {n: Tensor(n, (1, 4, 4, elements // 16), DType.INT8, _HALF) for n in sorted(names)}
    return Graph("made", tensors, tuple(nodes), ("x",), outputs)


def _node(kind: OpKind, inputs: tuple[str, ...], output: str) -> Node:
    attributes = Elementwise() if kind in (OpKind.ADD, OpKind.MUL) else NoAttributes()
    return Node(f"to {output}", kind, inputs, (output,), attributes)


def _pool(source: str, output: str) -> Node:
    attributes = Pool2D(1, 1, Window())
    return Node(f"to {output}", OpKind.MAX_POOL_2D, (source,), (output,), attributes)


def _overlapping(node: Node, distance_bytes: int) -> Step:
    overlap = Overlap(node.inputs[0], node.outputs[0], distance_bytes)
    return replace(node_step(node), overlaps=(overlap,))


def test_an_addition_takes_the_storage_of_the_operand_that_dies():
    nodes = [_pool("x", "a"), _pool("a", "b"), _node(OpKind.ADD, ("a", "b"), "sum")]
    memory = plan(_graph(nodes, ("sum",)))
    assert memory.offset_bytes["sum"] == memory.offset_bytes["a"]
    assert memory.arena_bytes == memory.lower_bound_bytes == 128


def test_a_tensor_that_is_still_read_is_not_overwritten():
    nodes = [_node(OpKind.RELU, ("x",), "a"), _node(OpKind.ADD, ("a", "x"), "sum")]
    memory = plan(_graph(nodes, ("sum",)))
    assert memory.offset_bytes["a"] != memory.offset_bytes["x"]


def test_a_graph_output_that_is_read_again_is_not_overwritten():
    nodes = [_node(OpKind.RELU, ("x",), "a"), _node(OpKind.QUANTIZE, ("a",), "b")]
    memory = plan(_graph(nodes, ("a", "b")))
    assert memory.offset_bytes["a"] != memory.offset_bytes["b"]


def test_a_view_keeps_the_storage_of_its_source_alive():
    nodes = [
        _node(OpKind.RESHAPE, ("x",), "view"),
        _node(OpKind.RELU, ("x",), "a"),
        _node(OpKind.ADD, ("a", "view"), "sum"),
    ]
    memory = plan(_graph(nodes, ("sum",)))
    assert memory.offset_bytes["view"] == memory.offset_bytes["x"]
    assert memory.offset_bytes["a"] != memory.offset_bytes["x"]


def test_an_output_larger_than_the_dying_operand_gets_storage_of_its_own():
    graph = _graph([_node(OpKind.ADD, ("x", "b"), "sum")], ("sum",))
    small = Tensor("x", (1, 1, 1, 4), DType.INT8, _HALF)
    constant = Tensor("b", (1, 4, 4, 4), DType.INT8, _HALF, np.zeros((1, 4, 4, 4), np.int8))
    memory = plan(replace(graph, tensors={**graph.tensors, "x": small, "b": constant}))
    assert memory.in_place == ()
    assert "b" not in memory.offset_bytes


def test_the_peak_names_the_tensors_that_set_it():
    nodes = [_pool("x", "a"), _pool("a", "b"), _pool("b", "c"), _node(OpKind.ADD, ("a", "c"), "d")]
    memory = plan(_graph(nodes, ("d",)))
    assert memory.peak_step == 2
    assert memory.peak_tensors == ("a", "b", "c")
    assert memory.lower_bound_bytes == 3 * 64


def test_the_same_graph_gets_the_same_plan():
    nodes = [_pool("x", "a"), _pool("a", "b"), _node(OpKind.ADD, ("a", "b"), "sum")]
    assert plan(_graph(nodes, ("sum",))) == plan(_graph(nodes, ("sum",)))


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    graph=graphs(max_nodes=12, max_inputs=2, max_outputs=2, dialect=Dialect.EDGEFLOW),
    distance=st.integers(0, 10).map(lambda words: 4 * words),
)
def test_overlaps_keep_their_distance_and_never_cost_memory(graph, distance):
    overlapping = {node.name for node in graph.nodes if node.kind is OpKind.CONV_2D}
    steps = [
        _overlapping(node, distance) if node.name in overlapping else node_step(node)
        for node in graph.nodes
    ]
    memory = plan(graph, steps)
    _assert_plan_holds(graph, memory)
    assert memory.arena_bytes <= plan(graph).arena_bytes
    for pair in memory.in_place:
        low, at = memory.offset_bytes[pair.output], memory.offset_bytes[pair.input]
        assert low == at - pair.distance_bytes
        assert pair.distance_bytes == (distance if pair.node in overlapping else 0)


def test_a_kernel_writes_over_its_dying_input_at_its_distance():
    nodes = [_pool("x", "a"), _pool("a", "b"), _pool("b", "c")]
    memory = plan(_graph(nodes, ("c",)), [_overlapping(node, 8) for node in nodes])
    places = [memory.offset_bytes[name] for name in ("x", "a", "b", "c")]
    assert places == [24, 16, 8, 0]
    assert memory.arena_bytes == 64 + 24


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """Two to four blocks, each from a step after the one before and a little below it."""
    parts: list[tuple[int, Block]] = []
    step, offset = draw(st.integers(0, 2)), 0
    for _ in range(draw(st.integers(2, 4))):
        last = step + draw(st.integers(0, 2))
        parts.append((offset, Block(draw(st.integers(1, 60)), step, last)))
        step, offset = last + draw(st.integers(0, 1)), offset - 4 * draw(st.integers(0, 5))
    lowest = min(offset for offset, _ in parts)
    return Cluster(tuple((offset - lowest, block) for offset, block in parts))


@settings(deadline=None, max_examples=60)
@given(
    values=st.tuples(blocks(most=6), st.lists(clusters(), min_size=1, max_size=3)).map(
        lambda both: [*both[0], *both[1]]
    )
)
def test_parts_of_different_clusters_that_live_together_never_overlap(values):
    placement = place(values, 4)
    assert lower_bound_bytes(values, 4)[0] <= placement.arena_bytes
    spans = list(zip(values, placement.offset_bytes, strict=True))
    for index, (one, at) in enumerate(spans):
        assert at % 4 == 0
        assert at + one.size_bytes <= placement.arena_bytes
        for other, low in spans[:index]:
            for offset, block in one.parts:
                for place_, part in other.parts:
                    start, begin = at + offset, low + place_
                    apart = start + block.size_bytes <= begin or begin + part.size_bytes <= start
                    assert apart or not block.meets(part)


def test_what_is_dead_of_a_cluster_is_free_for_others():
    """A large input, a small output that overwrites it, and afterwards room in its place."""
    chain = Cluster(((0, Block(100, 0, 1)), (0, Block(20, 1, 4))))
    placement = place([chain, Block(80, 2, 3)], 4)
    assert placement.arena_bytes == 100
    assert placement.proven_optimal
