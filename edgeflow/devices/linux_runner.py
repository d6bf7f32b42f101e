"""Where programs for Linux run: on this host, or under QEMU's user mode for another processor."""

from __future__ import annotations

import platform
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.native.program import NativeProgram
from edgeflow.backends.native.toolchain import RUNNER
from edgeflow.devices import processor, qemu_program
from edgeflow.devices.device import DeviceRun, RunLimits, flat_inputs
from edgeflow.errors import DeviceFaultError, DeviceTimeoutError, MissingToolError, StorageError
from edgeflow.figures import FigureKind
from edgeflow.targets.schema import InstructionSet, RunnerKind, Target

_HOSTS = {
    "x86_64": InstructionSet.X86_64,
    "AMD64": InstructionSet.X86_64,
    "aarch64": InstructionSet.AARCH64,
    "arm64": InstructionSet.AARCH64,
}


@dataclass(frozen=True)
class LinuxRunner:
    """How a runner is started: the words before its path, and what its answers are.

    `tells_time` is False where an emulator runs it.
    """

    prefix: tuple[str, ...]
    kind: FigureKind
    source: str
    tells_time: bool

    def run(self, program: NativeProgram, inputs: NDArray[np.int8], limits: RunLimits) -> DeviceRun:
        """Run one inference for each input; see `Device.run`. Only the wall limit applies."""
        rows = flat_inputs(inputs, program.input_bytes)
        with tempfile.TemporaryDirectory(prefix="edgeflow-linux-") as name:
            directory = Path(name)
            place_runner(program, directory)
            _write(directory / "inputs", rows)
            self.start(directory, ("answers", "inputs", "outputs"), limits)
            answers = np.fromfile(directory / "outputs", dtype=np.int8)
        if answers.size != len(rows) * program.output_bytes:
            raise DeviceFaultError(
                f"The runner wrote {answers.size} bytes for {len(rows)} inferences of "
                f"{program.output_bytes}.",
                hint="Report this as a defect unless the source was edited.",
            )
        return DeviceRun(
            outputs=answers.reshape(len(rows), program.output_bytes),
            instructions=np.empty(0, dtype=np.int64),
            layers=(),
            stack_bytes=None,
            kind=self.kind,
            source=self.source,
        )

    def start(self, directory: Path, arguments: tuple[str, ...], limits: RunLimits) -> None:
        """Start the runner that lies in a folder and wait for it.

        Raises DeviceFaultError for a crash, DeviceTimeoutError beyond the wall limit.
        """
        command = [*self.prefix, f"./{RUNNER}", *arguments]
        try:
            finished = subprocess.run(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=limits.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceTimeoutError(
                f"The model did not finish on {self.source} within {limits.seconds:g} s.",
                hint="Raise the limit if the network is that large; otherwise it hangs.",
            ) from error
        except OSError as error:
            raise DeviceFaultError(
                f"The runner cannot be started on {self.source}: {error.strerror}.",
                hint="Check that programs in the folder for temporary files may run (TMPDIR).",
            ) from error
        if finished.returncode != 0:
            raise self._fault(finished)

    def _fault(self, finished: subprocess.CompletedProcess[bytes]) -> DeviceFaultError:
        code = finished.returncode
        words = finished.stderr.decode("utf-8", "replace").strip().splitlines()
        said = f": {words[-1]}" if words else ""
        reason = f"exit status {code}{said}"
        if code < 0:
            reason = f"{signal.Signals(-code).name} ({signal.strsignal(-code)}){said}"
        hint = "Report this as a defect unless the source was edited."
        if code == -signal.SIGILL:
            hint = "The processor lacks instructions that the target has: build for another target."
        return DeviceFaultError(f"The model crashed on {self.source}: {reason}.", hint=hint)


def runner_for(target: Target) -> LinuxRunner:
    """The runner of a Linux target.

    Raises MissingToolError where this host is no such machine or the emulator is absent.
    """
    return _RUNNERS[target.runner.kind](target)


def place_runner(program: NativeProgram, directory: Path) -> None:
    """Put the runner into a folder, ready to be started."""
    path = directory / RUNNER
    path.write_bytes(program.runner)
    path.chmod(0o755)


def _on_host(target: Target) -> LinuxRunner:
    wanted = target.core.instruction_set
    machine = platform.machine()
    if platform.system() != "Linux" or _HOSTS.get(machine) is not wanted:
        raise MissingToolError(
            f"Target {target.name} runs on this machine, which is {platform.system()} on "
            f"{machine} and not Linux on {wanted}.",
            hint="Build it on such a machine, or choose another target.",
        )
    found = processor.this_processor()
    lacking = sorted(set(target.core.features) - found.features)
    if wanted is InstructionSet.X86_64 and lacking:
        raise MissingToolError(
            f"Target {target.name} needs {', '.join(lacking)}, which this processor "
            f"({found.name}) lacks.",
            hint="Write a target with fewer features: docs/adding-a-target.md.",
        )
    return LinuxRunner((), FigureKind.MEASURED, f"this host ({found.name})", tells_time=True)


def _emulated(target: Target) -> LinuxRunner:
    path = qemu_program.user_program(target)
    source = f"QEMU {qemu_program.version(path)} user mode, {target.runner.cpu_model}"
    prefix = (path, "-cpu", target.runner.cpu_model)
    return LinuxRunner(prefix, FigureKind.SIMULATED, source, tells_time=False)


_RUNNERS: Mapping[RunnerKind, Callable[[Target], LinuxRunner]] = {
    RunnerKind.HOST: _on_host,
    RunnerKind.QEMU_USER: _emulated,
}


def _write(path: Path, rows: NDArray[np.int8]) -> None:
    try:
        rows.tofile(path)
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        raise StorageError(
            f"The inputs ({rows.nbytes} bytes) cannot be written: {error.strerror or error}; "
            f"{free} bytes are free.",
            hint="Free space, or set TMPDIR to a folder with more.",
        ) from error
