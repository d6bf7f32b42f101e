"""A board emulated by QEMU that boots the real image, with exact instruction counts and stack use.

What the emulation leaves out: caches, wait states and time. The memory that holds code can be
written on QEMU's Arm boards, and begins at address 0, so that a null pointer reads it. Below the
RAM of the RISC-V board `virt` lie addresses that take writes, so that a stack overflow may go
unnoticed there until an answer is wrong.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import DeviceRun, RunLimits, flat_inputs
from edgeflow.devices.harness import (
    check_layer_calls,
    check_stack,
    counted_run,
    stack_high_water_bytes,
)
from edgeflow.devices.qemu_faults import describe_end, did_not_start, timeout
from edgeflow.devices.qemu_plugin import FIRST_API_VERSION, WANTED_API, plugin
from edgeflow.devices.qemu_program import program, version
from edgeflow.devices.qemu_session import (
    FIRMWARE,
    PLUGIN,
    RAM,
    SessionResult,
    SessionState,
    read_session,
    write_session,
)
from edgeflow.errors import DeviceFaultError
from edgeflow.targets.schema import InstructionSet, MemoryKind, Target


def _in_memory(image: FirmwareImage) -> tuple[str, ...]:
    """Options for boards of Cortex-M, whose code memory is RAM from which the core resets."""
    return "-device", f"loader,file={FIRMWARE},addr={image.load_address:#x},force-raw=on"


def _in_flash(image: FirmwareImage) -> tuple[str, ...]:
    """Options for the RISC-V board `virt`, which resets into its flash where it has no firmware."""
    drive = f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}"
    return "-bios", "none", "-drive", drive


_FIRMWARE_OPTIONS = {InstructionSet.THUMB: _in_memory, InstructionSet.RISCV: _in_flash}


class QemuMcu:
    """The emulated board of a target; every `run` starts from reset in a process of its own."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._ram = target.region(MemoryKind.RAM)

    def run(self, image: FirmwareImage, inputs: NDArray[np.int8], limits: RunLimits) -> DeviceRun:
        """Boot the image and run one inference for each input; see `Device.run`."""
        rows = flat_inputs(inputs, image.input_bytes)
        path = program(self._target)
        self._check_memory(image)
        ram = self._ram
        with tempfile.TemporaryDirectory(prefix="edgeflow-qemu-") as name:
            directory = Path(name)
            write_session(directory, image, ram, rows, limits.instructions)
            self._write_firmware(directory, image)
            stderr = self._execute(path, directory, image, limits)
            result = read_session(directory, image, ram)
            if result.state is not SessionState.DONE:
                raise describe_end(directory, image, ram, result, limits, stderr)
        _check(image, result)
        return counted_run(
            image,
            result.outputs,
            result.counts,
            stack_high_water_bytes(result.stack),
            f"{self._target.core.name} emulated by QEMU {version(path)}"
            f" ({self._target.runner.machine})",
        )

    def _write_firmware(self, directory: Path, image: FirmwareImage) -> None:
        """The whole flash, as a board has it; a sparse file beyond the image."""
        with (directory / FIRMWARE).open("wb") as stream:
            stream.write(image.bin)
            if image.instruction_set is InstructionSet.RISCV:
                stream.truncate(self._target.region(MemoryKind.FLASH).size_bytes)

    def _execute(self, path: str, directory: Path, image: FirmwareImage, limits: RunLimits) -> str:
        """Run QEMU until its plugin or a fault ends it; what it wrote to stderr."""
        stderr = self._execute_once(path, directory, image, limits, FIRST_API_VERSION)
        wanted = WANTED_API.search(stderr)
        if wanted is not None:
            stderr = self._execute_once(path, directory, image, limits, int(wanted[1]))
        if read_session(directory, image, self._ram).block == 0:
            raise did_not_start(self._target.runner.machine, stderr)
        return stderr

    def _execute_once(
        self,
        path: str,
        directory: Path,
        image: FirmwareImage,
        limits: RunLimits,
        api_version: int,
    ) -> str:
        ram, runner = self._ram, self._target.runner
        (directory / PLUGIN).write_bytes(plugin(api_version))
        command = [
            *(path, "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none"),
            *("-accel", "tcg,thread=multi", "-cpu", runner.cpu_model),
            *(
                "-object",
                f"memory-backend-file,id=ram,mem-path={RAM},size={ram.size_bytes},share=on",
            ),
            *("-machine", f"{runner.machine},memory-backend=ram"),
            *("-m", f"{ram.size_bytes}B"),
            *_FIRMWARE_OPTIONS[image.instruction_set](image),
            *("-plugin", f"file=./{PLUGIN}"),
        ]
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
            result = read_session(directory, image, ram)
            raise timeout(image, f"{limits.seconds:g} s for the whole run", result) from error
        return finished.stderr.decode("utf-8", "replace")

    def _check_memory(self, image: FirmwareImage) -> None:
        flash = self._target.region(MemoryKind.FLASH)
        end = image.load_address + len(image.bin)
        if image.instruction_set is not self._target.core.instruction_set:
            raise DeviceFaultError(
                f"The image is for {image.instruction_set} and {self._target.name} is not.",
                hint="Build the firmware for this target.",
            )
        if image.load_address < flash.origin or end > flash.origin + flash.size_bytes:
            raise DeviceFaultError(
                f"The image lies from {image.load_address:#010x} to {end:#010x}, outside of the "
                f"flash of {self._target.name}.",
                hint="Build the firmware for this target.",
            )


def _check(image: FirmwareImage, result: SessionResult) -> None:
    check_stack(image, result.stack[:4])
    for entries in result.entries:
        check_layer_calls(image, entries)
