"""Numbers as people read them."""

from __future__ import annotations

import pytest

from edgeflow.figures import Unit, quantity


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (1, Unit.CYCLES, "1 cycle"),
        (1234, Unit.CYCLES, "1,234 cycles"),
        (1, Unit.BYTES, "1 byte"),
        (0.5, Unit.BYTES, "0.5 bytes"),
        (1, Unit.COUNT, "1"),
        (2.5e-6, Unit.SECONDS, "2.5 us"),
        (0.25, Unit.FRACTION, "25.00%"),
    ],
)
def test_a_quantity_is_told_with_its_unit(value: float, unit: Unit, told: str) -> None:
    assert quantity(value, unit) == told
