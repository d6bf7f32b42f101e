"""Where programs for Linux run: on this host, on a board, or in an emulator of its processor."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.gpu.program import GpuProgram
from edgeflow.backends.native.program import NativeProgram
from edgeflow.backends.runtimes.program import RuntimeProgram
from edgeflow.devices import board, processor, qemu_program
from edgeflow.devices.device import DeviceRun, RunLimits, flat_inputs
from edgeflow.devices.linux_session import Session, local_session
from edgeflow.devices.marked_counts import NO_COUNTS, Counts, count_instructions
from edgeflow.devices.processor import Processor
from edgeflow.devices.ssh_session import parse_address, ssh_session
from edgeflow.errors import DeviceFaultError, MissingToolError
from edgeflow.figures import FigureKind
from edgeflow.targets.schema import InstructionSet, RunnerKind, Target

HOSTS: Mapping[str, InstructionSet] = {
    "x86_64": InstructionSet.X86_64,
    "AMD64": InstructionSet.X86_64,
    "aarch64": InstructionSet.AARCH64,
    "arm64": InstructionSet.AARCH64,
}


LinuxProgram = NativeProgram | RuntimeProgram | GpuProgram
OpenSession = Callable[[bytes], AbstractContextManager[Session]]


@dataclass(frozen=True)
class About:
    """What a system engine says of itself: its version, and the peak memory of its process."""

    version: str
    memory_bytes: int


@dataclass(frozen=True)
class LinuxRunner:
    """A machine for programs: `session(runner)` gives a folder on it with the runner.

    `processor` is None where an emulator runs it, which tells no time; `count` is what counts
    instructions there, of the first inputs alone. `scripts` is a session for the scripts of system
    engines; None where the machine has no Python.
    """

    session: OpenSession
    kind: FigureKind
    source: str
    processor: Processor | None
    count: Callable[[NativeProgram, NDArray[np.int8], RunLimits], Counts] | None = None
    scripts: OpenSession | None = None

    @property
    def tells_time(self) -> bool:
        """Whether the machine is real."""
        return self.processor is not None

    @contextmanager
    def open(self, program: LinuxProgram) -> Iterator[Session]:
        """A folder with the program in it. Raises MissingToolError where it cannot run there."""
        start = self.scripts if isinstance(program, RuntimeProgram) else self.session
        if start is None:
            raise MissingToolError(
                f"{self.source} runs no Python, which the scripts of system engines need.",
                hint="Name your board with --device ssh://user@host.",
            )
        with start(program.runner) as session:
            for name, content in program.companions.items():
                session.put(name, content)
            yield session

    def about(self, program: RuntimeProgram, limits: RunLimits) -> About:
        """Load the model with its engine. Raises DeviceFaultError where the engine refuses it."""
        with self.open(program) as session:
            session.start(("about", "about"), limits.seconds)
            document = json.loads(session.get("about"))
        return About(str(document["version"]), int(document["memory_bytes"]))

    def run(self, program: LinuxProgram, inputs: NDArray[np.int8], limits: RunLimits) -> DeviceRun:
        """Run one inference for each input; see `Device.run`. Only the wall limit applies.

        Instructions are those of the first inputs, where something counts them.
        """
        rows = flat_inputs(inputs, program.input_bytes)
        with self.open(program) as session:
            session.put("inputs", rows.tobytes())
            session.start(("answers", "inputs", "outputs"), limits.seconds)
            answers = np.frombuffer(session.get("outputs"), dtype=np.int8)
        if answers.size != len(rows) * program.output_bytes:
            raise DeviceFaultError(
                f"The runner wrote {answers.size} bytes for {len(rows)} inferences of "
                f"{program.output_bytes}.",
                hint="Report this as a defect unless the source was edited.",
            )
        counts = NO_COUNTS
        if self.count is not None and isinstance(program, NativeProgram):
            counts = self.count(program, rows, limits)
        return DeviceRun(
            outputs=answers.reshape(len(rows), program.output_bytes),
            instructions=counts.instructions,
            layers=counts.layers,
            stack_bytes=None,
            kind=self.kind,
            source=self.source,
        )


def runner_for(target: Target, device: str | None = None) -> LinuxRunner:
    """The machine for a Linux target: the board of that address, or what the target's runner names.

    Raises MissingToolError where this host is no such machine or the emulator is absent,
    DeviceError where the board is not reached, DoesNotFitError where it is another one.
    """
    if device is not None:
        return _on_board(target, device)
    return _RUNNERS[target.runner.kind](target)


def _on_board(target: Target, device: str) -> LinuxRunner:
    address = parse_address(device)
    found = board.examine(address)
    board.require_like(found, target, HOSTS)
    source = f"{found.host} ({found.processor.name})"
    session = partial(ssh_session, address=address, source=source)
    return LinuxRunner(session, FigureKind.MEASURED, source, found.processor, scripts=session)


def _on_host(target: Target) -> LinuxRunner:
    wanted = target.core.instruction_set
    machine = platform.machine()
    if platform.system() != "Linux" or HOSTS.get(machine) is not wanted:
        raise MissingToolError(
            f"Target {target.name} runs on this machine, which is {platform.system()} on "
            f"{machine} and not Linux on {wanted}.",
            hint="Build it on such a machine, name one with --device ssh://user@host, or choose "
            "another target.",
        )
    found = processor.this_processor()
    lacking = sorted(set(target.core.features) - found.features)
    if wanted is InstructionSet.X86_64 and lacking:
        raise MissingToolError(
            f"Target {target.name} needs {', '.join(lacking)}, which this processor "
            f"({found.name}) lacks.",
            hint="Write a target with fewer features: docs/adding-a-target.md.",
        )
    source = f"this host ({found.name})"
    session = partial(local_session, prefix=(), source=source)
    scripts = partial(local_session, prefix=(sys.executable,), source=source)
    return LinuxRunner(session, FigureKind.MEASURED, source, found, scripts=scripts)


def _emulated(target: Target) -> LinuxRunner:
    path = qemu_program.user_program(target)
    source = f"QEMU {qemu_program.version(path)} user mode, {target.runner.cpu_model}"
    prefix = (path, "-cpu", target.runner.cpu_model)
    session = partial(local_session, prefix=prefix, source=source)
    count = partial(count_instructions, prefix=prefix, source=source)
    return LinuxRunner(session, FigureKind.SIMULATED, source, None, count)


_RUNNERS: Mapping[RunnerKind, Callable[[Target], LinuxRunner]] = {
    RunnerKind.HOST: _on_host,
    RunnerKind.QEMU_USER: _emulated,
}
