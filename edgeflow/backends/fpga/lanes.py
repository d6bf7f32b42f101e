"""How many lanes a network gets: as many as make it fastest on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgeflow.backends.fpga.layer import Network
from edgeflow.backends.fpga.network import network_of
from edgeflow.backends.fpga.part import tools_of
from edgeflow.backends.fpga.resources import Resources, resources_of
from edgeflow.backends.fpga.schedule import schedule
from edgeflow.errors import DoesNotFitError
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import Fpga

_LANES = (2, 4, 8, 16, 32, 64, 128)
# Tables are estimated within a quarter, and a device that is nearly full routes slowly.
_MOST_LUTS = 0.75


def fastest(graph: Graph, part: Fpga, tell: Callable[[str], None]) -> Network:
    """The network of the fewest cycles that the device has room for, of equal ones the smallest.

    `tell` hears of each. Raises DoesNotFitError where not even the fewest lanes have room.
    """
    best: tuple[int, Network] | None = None
    for network, found in _candidates(graph, part):
        plan = schedule(network.layers, network.features, network.given, network.lanes)
        fits = _has_room(found, part)
        tell(f"{network.lanes} lanes: {plan.cycles:,} cycles, {described(found)}, {_said(fits)}")
        if fits and (best is None or plan.cycles < best[0]):
            best = plan.cycles, network
    if best is None:
        raise DoesNotFitError(
            f"No number of lanes has room: {_LANES[0]} already take {_smallest(graph, part)}; the "
            f"device has {part.luts:,} LUTs, {part.block_rams} block RAMs and {part.multipliers} "
            "multipliers.",
            hint="Choose a smaller network, fewer bits a weight or a larger device.",
        )
    return best[1]


def described(found: Resources) -> str:
    """In words; tables are estimated."""
    return (
        f"{found.luts:,} LUTs (estimated), {found.block_rams} block RAMs, "
        f"{found.multipliers} multipliers"
    )


def _candidates(graph: Graph, part: Fpga) -> Iterator[tuple[Network, Resources]]:
    for lanes in _LANES:
        network = network_of(graph, lanes, 2 * tools_of(part).half)
        yield network, resources_of(network, part)


def _smallest(graph: Graph, part: Fpga) -> str:
    return described(next(_candidates(graph, part))[1])


def _has_room(found: Resources, part: Fpga) -> bool:
    return (
        found.luts <= _MOST_LUTS * part.luts
        and found.block_rams <= part.block_rams
        and found.multipliers <= part.multipliers
    )


def _said(fits: bool) -> str:
    return "fits" if fits else "does not fit"
