from __future__ import annotations

from benchmarks.train.together import NETWORKS, measure
from edgeflow.nets.network import NetworkSpec


def test_rates_are_networks_per_second_for_each_count() -> None:
    shape, cells = NETWORKS["dense, 64-32"]
    spec = NetworkSpec(name="benchmark", input_shape=shape, cells=cells)
    found = measure(spec, (1, 2))
    assert set(found) == {"alone", "1", "2"}
    assert all(rate > 0 for rate in found.values())
