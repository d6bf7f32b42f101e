"""A project of hls4ml as C++: what high-level synthesis will build, run by the host's compiler."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files as resource_files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.fpga.network import finish
from edgeflow.backends.hls.artifact import HlsProject
from edgeflow.backends.hls.project import PROJECT
from edgeflow.devices.device import DeviceRun, flat_inputs
from edgeflow.errors import DeviceFaultError, DeviceTimeoutError, MissingToolError, ToolFailedError
from edgeflow.figures import FigureKind
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import HlsCompiler

SOURCE = "C++ of the project, by the types of its compiler"
_COMPILE_SECONDS = 1800.0
_INCLUDED: Mapping[HlsCompiler, tuple[str, ...]] = {
    HlsCompiler.VITIS: ("ap_types",),
    HlsCompiler.QUARTUS: ("ac_types", "ap_types"),
    HlsCompiler.CATAPULT: (
        "ac_types/include",
        "ac_math/include",
        "ac_simutils/include",
        "nnet_utils",
    ),
}
# The bridge for Quartus also takes the numbers of values.
_SIZES: Mapping[HlsCompiler, tuple[str, str]] = {
    HlsCompiler.QUARTUS: (", unsigned short &, unsigned short &", ", sizes[0], sizes[1]"),
}


def build_emulation(project: HlsProject) -> bytes:
    """A program that runs inputs through the project.

    Raises MissingToolError without g++, ToolFailedError with what it said.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        raise MissingToolError(
            "g++ is not installed, which compiles emulations.",
            hint="Install it, for instance with: apt-get install g++.",
        )
    parameters, arguments = _SIZES.get(project.compiler, ("", ""))
    macros = {
        "WEIGHTS_DIR": '"firmware/weights"',
        "GIVEN_BYTES": project.given_bytes,
        "ANSWER_VALUES": project.answer_values,
        "EXTRA_PARAMETERS": parameters,
        "EXTRA_ARGUMENTS": arguments,
    }
    command = [
        compiler,
        *("-std=c++11", "-O1", "-w"),
        *(f"-D{name}={value}" for name, value in macros.items()),
        *(f"-Ifirmware/{name}" for name in _INCLUDED[project.compiler]),
        *(f"firmware/{PROJECT}.cpp", f"{PROJECT}_bridge.cpp", "emulate.cpp", "-o", "emulate"),
    ]
    with tempfile.TemporaryDirectory(prefix="edgeflow-hls-") as name:
        folder = Path(name)
        _place(project, folder)
        harness = resource_files("edgeflow.devices") / "hls" / "emulate.cpp"
        (folder / "emulate.cpp").write_text(harness.read_text("utf-8"), encoding="utf-8")
        finished = _ended(command, folder, _COMPILE_SECONDS)
        if finished.returncode != 0:
            raise ToolFailedError(
                f"g++ refused the project:\n{finished.stderr.decode('utf-8', 'replace')[:2000]}",
                hint="Report this as a defect.",
            )
        return (folder / "emulate").read_bytes()


def run_emulation(
    project: HlsProject,
    program: bytes,
    graph: Graph,
    inputs: NDArray[np.int8],
    seconds: float = 3600.0,
) -> DeviceRun:
    """The graph's outputs for inputs, int8 [N, ...]: the project's, and the host's part.

    Raises DeviceFaultError where the program stops, DeviceTimeoutError beyond the limit.
    """
    rows = flat_inputs(inputs, project.given_bytes)
    with tempfile.TemporaryDirectory(prefix="edgeflow-hls-") as name:
        folder = Path(name)
        _place(project, folder)
        (folder / "emulate").write_bytes(program)
        (folder / "emulate").chmod(0o700)
        (folder / "inputs").write_bytes(rows.tobytes())
        command = [str(folder / "emulate"), "inputs", "answers"]
        try:
            finished = _ended(command, folder, seconds)
        except subprocess.TimeoutExpired as error:
            raise DeviceTimeoutError(
                f"The emulation did not end within {seconds:.0f} s.",
                hint="Give fewer images.",
            ) from error
        if finished.returncode != 0:
            said = finished.stderr.decode("utf-8", "replace").strip()
            raise DeviceFaultError(
                f"The emulation failed: {said or f'exit code {finished.returncode}'}",
                hint="Report this as a defect.",
            )
        values = np.fromfile(folder / "answers", np.float64).reshape(len(rows), -1)
    outputs = finish(graph, (values + project.answer_zero).astype(np.int8))
    return DeviceRun(
        outputs=outputs.reshape(len(outputs), -1),
        instructions=np.zeros(0, np.int64),
        layers=(),
        stack_bytes=None,
        kind=FigureKind.SIMULATED,
        source=f"{SOURCE}, {project.compiler}",
    )


def _place(project: HlsProject, folder: Path) -> None:
    for path, content in project.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _ended(
    command: Sequence[str], folder: Path, seconds: float
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
