"""The bound of time that a target's constants give."""

from __future__ import annotations

import pytest

from edgeflow.graph.cost import macs, weight_bytes
from edgeflow.profiles.roofline import least_seconds
from edgeflow.targets.registry import load
from tests.backends.ordinary_networks import ordinary_network

BOARDS = ("raspberry-pi-4", "raspberry-pi-5", "jetson-nano", "jetson-orin-nano")


@pytest.mark.parametrize("name", BOARDS)
def test_a_small_network_takes_its_products_at_the_peak(name: str) -> None:
    graph, target = ordinary_network(0), load(name)
    assert target.roofline is not None
    products = sum(macs(graph, node) for node in graph.nodes)
    cycles = products / target.roofline.int8_macs_per_cycle
    assert least_seconds(graph, target, floats=False) == pytest.approx(
        cycles / target.core.clock_hz
    )
    floats = least_seconds(graph, target, floats=True)
    assert floats == pytest.approx(
        products / target.roofline.float32_macs_per_cycle / target.core.clock_hz
    )


def test_weights_beyond_the_cache_come_from_memory() -> None:
    graph, target = ordinary_network(0), load("raspberry-pi-4")
    assert target.roofline is not None
    stored = sum(weight_bytes(graph, node) for node in graph.nodes)
    slow = target.roofline.model_copy(
        update={"cache_bytes": stored - 1, "memory_bytes_per_second": 1000}
    )
    found = least_seconds(graph, target.model_copy(update={"roofline": slow}), floats=False)
    assert found == pytest.approx(stored / 1000)


def test_a_target_without_constants_has_no_bound() -> None:
    assert least_seconds(ordinary_network(0), load("linux-x86_64"), floats=False) is None
