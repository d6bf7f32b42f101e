"""What two profiles say differently: in their headers, and about the operators of both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgeflow.errors import ProfileFileError
from edgeflow.profiles.schema import Profile

Key = tuple[str, str]


@dataclass(frozen=True)
class Changed:
    """An operator with two costs: medians, in the profiles' unit; `ratio` is second over first."""

    signature: str
    precision: str
    first: float
    second: float
    ratio: float


@dataclass(frozen=True)
class Difference:
    """Header fields with both values, keys that only one has, and rows of other costs or bytes."""

    unit: str
    header: tuple[tuple[str, str, str], ...]
    both: int
    first_only: tuple[Key, ...]
    second_only: tuple[Key, ...]
    changed: tuple[Changed, ...]

    def as_document(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


def compare(first: Profile, second: Profile) -> Difference:
    """The difference of two profiles of one unit.

    Raises ProfileFileError for costs in two units, which have no ratio.
    """
    units = first.header.unit, second.header.unit
    if units[0] is not units[1]:
        raise ProfileFileError(
            f"costs in {units[0]} and in {units[1]} cannot be compared",
            hint="compare profiles of one unit",
        )
    ours, theirs = ({row.key: row for row in profile.rows} for profile in (first, second))
    values = [profile.header.model_dump(mode="json") for profile in (first, second)]
    return Difference(
        unit=units[0].value,
        header=tuple(
            (name, str(value), str(values[1][name]))
            for name, value in values[0].items()
            if value != values[1][name]
        ),
        both=len(ours.keys() & theirs.keys()),
        first_only=tuple(sorted(ours.keys() - theirs.keys())),
        second_only=tuple(sorted(theirs.keys() - ours.keys())),
        changed=tuple(
            Changed(*key, row.median, other.median, _ratio(row.median, other.median))
            for key, row in sorted(ours.items())
            if (other := theirs.get(key)) is not None
            and (row.median, row.flash_bytes, row.ram_bytes)
            != (other.median, other.flash_bytes, other.ram_bytes)
        ),
    )


def _ratio(first: float, second: float) -> float:
    if first == second:
        return 1.0
    return second / first if first else float("inf")
