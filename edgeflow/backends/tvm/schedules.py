"""Schedules of our own: how loops are split, ordered, unrolled and vectorized, stage by stage."""

from __future__ import annotations

from typing import Any

from edgeflow.backends.tvm.computes import Network, Rowwise, Tiled


def schedule(network: Network, module: Any) -> Any:
    """The module with every stage of its `main` scheduled."""
    from tvm.s_tir import Schedule

    plan = Schedule(module)
    for tiled in network.tiled:
        if tiled.reductions:
            _tile(plan, tiled)
    for rowwise in network.rowwise:
        if rowwise.reductions:
            _row(plan, rowwise)
    padded = [*(each.padded for each in network.tiled), *(each.padded for each in network.rowwise)]
    for name in (*network.plain, *filter(None, padded)):
        _vectorize_last(plan, name, network.vectors.lanes)
    return plan.mod


def _tile(plan: Any, tiled: Tiled) -> None:
    """Sums of positions x channels stay in registers while the window and the inputs run.

    For every input value that is broadcast there are channels / lanes vectors of weights, which all
    positions of the tile share.
    """
    result = plan.get_sblock(tiled.result)
    *front, channel = plan.get_loops(result)
    outer, inner = plan.split(channel, [None, tiled.channels])
    position = None
    if front:
        y, column = front
        tiles, position = plan.split(column, [None, tiled.positions])
        plan.reorder(y, tiles, outer, position, inner)
    _sums_in_registers(plan, tiled.sums, outer, tiled.reductions, tiled.lanes)
    if position is not None:
        plan.unroll(position)
    several, vector = plan.split(inner, [None, tiled.lanes])
    plan.unroll(several)
    plan.vectorize(vector)


def _row(plan: Any, rowwise: Rowwise) -> None:
    """Sums of positions x one vector of channels stay in registers while the window runs."""
    result = plan.get_sblock(rowwise.result)
    y, column, channel = plan.get_loops(result)
    tiles, position = plan.split(column, [None, rowwise.positions])
    outer, vector = plan.split(channel, [None, rowwise.lanes])
    plan.reorder(y, tiles, outer, position, vector)
    _sums_in_registers(plan, rowwise.sums, outer, rowwise.reductions, rowwise.lanes)
    plan.unroll(position)
    plan.vectorize(vector)


def _sums_in_registers(plan: Any, name: str, at: Any, reductions: int, lanes: int) -> None:
    """Compute a tile's sums where the result needs them: reductions outside, the tile unrolled."""
    sums = plan.get_sblock(name)
    plan.compute_at(sums, at)
    plan.set_scope(sums, 0, "local")
    inside = _loops_below(plan, sums, at)
    spatial, reduced = inside[:-reductions], inside[-reductions:]
    plan.reorder(*reduced, *spatial)
    if spatial:
        *others, last = spatial
        several, vector = plan.split(last, [None, lanes])
        for loop in (*others, several):
            plan.unroll(loop)
        plan.vectorize(vector)
    start = plan.decompose_reduction(sums, reduced[0])
    starting = _loops_below(plan, start, at)
    for loop in starting[:-1]:
        plan.unroll(loop)
    if starting:
        plan.vectorize(starting[-1])


def _loops_below(plan: Any, block: Any, at: Any) -> list[Any]:
    """The loops around the block that are inside of loop `at`."""
    loops, outside = list(plan.get_loops(block)), plan.get(at)
    first = next(n for n, loop in enumerate(loops) if plan.get(loop).same_as(outside))
    return loops[first + 1 :]


def _vectorize_last(plan: Any, name: str, lanes: int) -> None:
    """The innermost loop of a stage without sums, where whole vectors fill it."""
    block = plan.get_sblock(name)
    loops = plan.get_loops(block)
    if not loops or any(v.iter_type == v.CommReduce for v in plan.get(block).iter_vars):
        return
    size = int(plan.get(loops[-1]).extent)
    while lanes > 1 and size % lanes:
        lanes //= 2
    if lanes > 1:
        _, vector = plan.split(loops[-1], [None, lanes])
        plan.vectorize(vector)
