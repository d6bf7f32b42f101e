"""What two profiles say differently."""

from __future__ import annotations

import pytest

from edgeflow.errors import ProfileFileError
from edgeflow.figures import Unit
from edgeflow.profiles import registry
from edgeflow.profiles.difference import compare
from edgeflow.profiles.schema import Profile


def _shipped() -> Profile:
    return registry.load("cortex-m4/reference-networks")


def test_a_profile_does_not_differ_from_itself() -> None:
    found = compare(_shipped(), _shipped())
    assert found.both == len(_shipped().rows)
    assert (found.header, found.changed, found.first_only, found.second_only) == ((), (), (), ())


def test_rows_and_header_that_differ_are_named() -> None:
    first = _shipped()
    changed = first.rows[0].model_copy(update={"median": first.rows[0].median * 2, "p95": 1e9})
    second = first.model_copy(
        update={
            "rows": (changed, *first.rows[2:]),
            "header": first.header.model_copy(update={"compiler": "another"}),
        }
    )
    found = compare(first, second)
    assert found.header == (("compiler", first.header.compiler, "another"),)
    assert found.first_only == (first.rows[1].key,)
    assert found.second_only == ()
    assert [(row.signature, row.ratio) for row in found.changed] == [(changed.signature, 2.0)]


def test_costs_in_two_units_are_not_compared() -> None:
    first = _shipped()
    header = first.header.model_copy(update={"unit": Unit.CYCLES})
    with pytest.raises(ProfileFileError, match="cannot be compared"):
        compare(first, first.model_copy(update={"header": header}))
