"""The program says what a space's networks cost."""

from __future__ import annotations

import numpy as np

from edgeflow.grow.cost import Limits
from edgeflow.nets.network import NetworkSpec
from edgeflow.nets.specs import Convolution, GlobalAveragePool, Logits
from edgeflow.search.candidates import space
from edgeflow.search.costs import CandidateCosts
from edgeflow.search.formulate import formulate
from edgeflow.search.problem import check, keeps, used

SPEC = NetworkSpec(
    name="teacher",
    input_shape=(8, 8, 1),
    cells=(
        Convolution(channels=8),
        Convolution(channels=8),
        GlobalAveragePool(),
        Logits(units=10),
    ),
)
SPACE = space(SPEC, 4, (8, 4))


def _rows(low: int, high: int, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(low, high, len(c.candidates)).astype(float) for c in SPACE.cells)


COSTS = CandidateCosts(_rows(100, 900, 0), _rows(10, 90, 1), _rows(50, 80, 2), 50.0, 30.0, 40.0)


def test_sums_and_peaks_are_what_the_limits_say() -> None:
    problem = formulate(
        SPACE, COSTS.instructions, COSTS, Limits(instructions=1_000, flash_bytes=150, ram_bytes=70)
    )
    check(problem)
    rng = np.random.default_rng(3)
    for _ in range(200):
        choice = tuple(int(rng.integers(len(cell.candidates))) for cell in SPACE.cells)
        instructions = 50.0 + sum(o[i] for o, i in zip(COSTS.instructions, choice, strict=True))
        flash = 30.0 + sum(o[i] for o, i in zip(COSTS.flash_bytes, choice, strict=True))
        ram = max(40.0, *(o[i] for o, i in zip(COSTS.ram_bytes, choice, strict=True)))
        assert used(problem, choice)["instructions"] == instructions
        assert used(problem, choice)["flash"] == flash
        assert keeps(problem, choice) == (instructions <= 1_000 and flash <= 150 and ram <= 70)


def test_what_is_not_limited_is_no_limit() -> None:
    assert formulate(SPACE, COSTS.instructions, COSTS, Limits()).limits == ()
