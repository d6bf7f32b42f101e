"""`edgeflow profile` and `edgeflow profiles diff`."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.cli.outcome import print_document
from edgeflow.cli.progress import drawn_progress
from edgeflow.cli.tables import print_rows
from edgeflow.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from edgeflow.nets.specs import ShapeHWC
    from edgeflow.profiles.schema import Additivity, Profile

_SHAPE = re.compile(r"(\d+)x(\d+)x(\d+)")


@dataclass(frozen=True)
class ProfileArguments:
    """What the command line says about one profile."""

    target: str
    networks: tuple[str, ...]
    input_shape: str | None
    outputs: int | None
    name: str
    folder: Path
    held_out: int
    device: str | None = None


def run_profile(arguments: ProfileArguments, as_json: bool) -> int:
    """Measure every candidate around the networks, add what the profile lacks, and show it."""
    from edgeflow.nets.spec_source import load_spec
    from edgeflow.pipeline.linux_profiling import meter_for
    from edgeflow.pipeline.space_profile import ProfileRequest, profile_spaces
    from edgeflow.pipeline.storage import write_file
    from edgeflow.pipeline.target_bits import weight_bits
    from edgeflow.profiles import registry
    from edgeflow.search.candidates import space
    from edgeflow.targets import registry as targets

    target = targets.load(arguments.target)
    shape = _shape(arguments.input_shape)
    path = arguments.folder / target.name / f"{arguments.name}.json"
    known = registry.load_file(path) if path.is_file() else None

    def keep(profile: Profile) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, (profile.model_dump_json(indent=1) + "\n").encode())

    specs = [load_spec(reference, shape, arguments.outputs) for reference in arguments.networks]
    granularity, bits = target.simd.channel_granularity, weight_bits(target)
    request = ProfileRequest(
        name=arguments.name,
        target=target,
        meter=meter_for(target, arguments.device),
        spaces=tuple(space(spec, granularity, bits) for spec in specs),
        held_out=arguments.held_out,
        day=datetime.now(UTC).date(),
        command=_command(arguments),
    )
    with drawn_progress() as progress:
        found = profile_spaces(request, known, keep, progress)
    _show(found, path, as_json)
    return int(ExitCode.OK)


def run_diff(first: str, second: str, as_json: bool) -> int:
    """What two profiles say differently."""
    from edgeflow.profiles import registry
    from edgeflow.profiles.difference import compare

    found = compare(registry.load(first), registry.load(second))
    if as_json:
        print_document({"difference": found.as_document()})
        return int(ExitCode.OK)
    print_rows([(name, before, after) for name, before, after in found.header])
    print_rows(
        [
            ("rows in both", f"{found.both:,}", f"{len(found.changed):,} of them differ"),
            (f"rows in {first} alone", f"{len(found.first_only):,}", ""),
            (f"rows in {second} alone", f"{len(found.second_only):,}", ""),
        ]
    )
    changed = sorted(found.changed, key=lambda row: abs(row.ratio - 1.0), reverse=True)
    if changed:
        print_rows([("operator", "precision", f"{found.unit}, first", "second", "second/first")])
        print_rows(
            [
                (
                    row.signature,
                    row.precision,
                    f"{row.first:,.0f}",
                    f"{row.second:,.0f}",
                    f"{row.ratio:.3f}",
                )
                for row in changed
            ]
        )
    return int(ExitCode.OK)


def _show(profile: Profile, path: Path, as_json: bool) -> None:
    header = profile.header
    if as_json:
        document = {"file": str(path), "rows": len(profile.rows)}
        print_document({"profile": document | {"header": header.model_dump(mode="json")}})
        return
    rows = [
        ("profile", str(path)),
        ("rows", f"{len(profile.rows):,}"),
        ("device", f"{header.device}, {header.kind}"),
    ]
    sums = header.additivity
    if sums is not None:
        rows += [
            (
                f"sums of rows, {sums.networks} random networks",
                f"off by {sums.median_error:.2%} (median), {sums.largest_error:.2%} at most; "
                f"{sums.share_within_2_percent:.0%} within 2 %{_within_10(sums)}",
            )
        ]
    print_rows(rows)


def _within_10(sums: Additivity) -> str:
    share = sums.share_within_10_percent
    return "" if share is None else f", {share:.0%} within 10 %"


def _shape(text: str | None) -> ShapeHWC | None:
    if text is None:
        return None
    match = _SHAPE.fullmatch(text)
    if match is None or not all(map(int, match.groups())):
        raise ConfigError(
            f"--input {text!r} is no shape", hint="height x width x channels, such as 32x32x3"
        )
    height, width, channels = map(int, match.groups())
    return height, width, channels


def _command(arguments: ProfileArguments) -> str:
    """The command that makes the profile, its folder left out."""
    parts: list[str] = ["edgeflow", "profile", "--target", arguments.target]
    for network in arguments.networks:
        parts += ["--network", network]
    if arguments.input_shape is not None:
        parts += ["--input", arguments.input_shape]
    if arguments.outputs is not None:
        parts += ["--outputs", str(arguments.outputs)]
    return shlex.join([*parts, "--name", arguments.name, "--held-out", str(arguments.held_out)])
