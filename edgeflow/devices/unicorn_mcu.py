"""An emulated core that boots the real image, with exact instruction counts and stack use.

What the emulation leaves out: caches, wait states and time; exceptions (a fault ends the run
instead of entering a handler); alignment faults of LDM, LDRD and their kin on Armv7-M and later.
"""

from __future__ import annotations

import struct
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.alignment import AlignmentWatch
from edgeflow.devices.block_counter import BlockCounter, CounterState
from edgeflow.devices.device import DeviceRun, RunLimits, flat_inputs
from edgeflow.devices.emulator import core_model, emulator_with
from edgeflow.devices.faults import BadAccess, describe_fault, place, unaligned_access
from edgeflow.devices.flow_counter import CodeFlow, FlowCounter
from edgeflow.devices.harness import (
    address_of,
    check_layer_calls,
    check_stack,
    counted_run,
    painted_stack,
    stack_high_water_bytes,
)
from edgeflow.errors import DeviceFaultError, DeviceTimeoutError
from edgeflow.targets.schema import MemoryKind, Target

_ALIGNED_ONLY = frozenset({"Armv6-M", "RV32IMC"})


class UnicornMcu:
    """The emulated microcontroller of a target; every `run` starts from reset."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def run(self, image: FirmwareImage, inputs: NDArray[np.int8], limits: RunLimits) -> DeviceRun:
        """Boot the image and run one inference for each input; see `Device.run`."""
        import unicorn

        rows = flat_inputs(inputs, image.input_bytes)
        outputs = np.empty((len(rows), image.output_bytes), dtype=np.int8)
        counts = np.empty((len(rows), 1 + len(image.layers)), dtype=np.int64)
        if self._target.core.architecture in _ALIGNED_ONLY and len(rows):
            self._check_alignment(image, rows[0], limits)
        session = _Session(self._target, image, limits)
        with session.deadline():
            session.boot()
            for index, row in enumerate(rows):
                outputs[index] = session.infer(row)
                counts[index] = session.counter.row()
        source = f"{self._target.core.name} emulated by unicorn {unicorn.__version__}"
        return counted_run(image, outputs, counts, session.stack_high_water_bytes(), source)

    def flow(self, image: FirmwareImage, row: NDArray[np.int8], limits: RunLimits) -> CodeFlow:
        """What every instruction did in one inference on `row`, int8 [1, ...]."""
        session = _Session(self._target, image, limits)
        counter = session.count_flow()
        with session.deadline():
            session.boot()
            session.infer(flat_inputs(row, image.input_bytes)[0])
        return counter.flow()

    def _check_alignment(
        self, image: FirmwareImage, row: NDArray[np.int8], limits: RunLimits
    ) -> None:
        """One inference that faults at unaligned accesses: their alignment is no matter of data."""
        session = _Session(self._target, image, limits)
        session.watch_alignment()
        with session.deadline():
            session.boot()
            session.infer(row)


class _Session:
    """One emulator with one image, from reset on."""

    def __init__(self, target: Target, image: FirmwareImage, limits: RunLimits) -> None:
        self._target = target
        self._image = image
        self._limits = limits
        self._uc = emulator_with(target, image)
        self._core = core_model(target.core.instruction_set)
        self._bad_accesses: list[BadAccess] = []
        self._watch_accesses()
        self.counter = BlockCounter(self._uc, image)
        self._alignment: AlignmentWatch | None = None
        self._flow: FlowCounter | None = None
        self._stack_bottom = address_of(image, "edgeflow_stack_bottom")
        self._exchange = address_of(image, "edgeflow_exchange")
        self._input = 0
        self._output = 0

    def watch_alignment(self) -> None:
        """Fault at unaligned accesses from here on, at an eighth of the speed."""
        self._alignment = AlignmentWatch(self._uc)

    def count_flow(self) -> FlowCounter:
        """Count what every instruction does from here on."""
        self._flow = FlowCounter(self._uc, self._image)
        return self._flow

    def boot(self) -> None:
        """Reset: paint the stack, load stack pointer and program counter, run to the exchange."""
        if self._image.stack_bytes > self._target.region(MemoryKind.RAM).size_bytes:
            raise _not_in_memory(self._target, self._stack_bottom, self._image.stack_bytes)
        self._write(self._stack_bottom, painted_stack(self._image))
        stack_top, reset = self._core.reset(self._image)
        if stack_top is not None:
            self._uc.reg_write(self._core.sp, stack_top)
        self._continue_at(reset)
        buffers = self._read(address_of(self._image, "edgeflow_buffers"), 8)
        self._input, self._output = struct.unpack("<II", buffers)

    def infer(self, row: NDArray[np.int8]) -> NDArray[np.int8]:
        """One inference: the bytes of the output."""
        self._write(self._input, row.tobytes())
        self._continue_at(self._uc.reg_read(self._core.lr))
        check_stack(self._image, self._read(self._stack_bottom, 4))
        check_layer_calls(self._image, self.counter.layer_entries())
        data = self._read(self._output, self._image.output_bytes)
        return np.frombuffer(data, dtype=np.int8)

    def deadline(self) -> _Deadline:
        """A context in which the run may take its wall-clock limit."""
        return _Deadline(self._limits.seconds, self.counter)

    def stack_high_water_bytes(self) -> int:
        """From the initial stack pointer to the lowest word that was ever written."""
        return stack_high_water_bytes(self._read(self._stack_bottom, self._image.stack_bytes))

    def _continue_at(self, address: int) -> None:
        """Run until the firmware stands at its exchange point again."""
        import unicorn

        self.counter.restart(self._limits.instructions)
        self._bad_accesses.clear()
        try:
            self._uc.emu_start(address | self._core.code_bit, self._exchange)
        except unicorn.UcError as error:
            raise describe_fault(self._uc, self._image, error, self._bad_accesses) from error
        if self.counter.state is CounterState.OUT_OF_INSTRUCTIONS:
            raise self._timeout(f"{self._limits.instructions} instructions for one inference")
        if self.counter.state is CounterState.OUT_OF_TIME:
            raise self._timeout(f"{self._limits.seconds:g} s for the whole run")
        violation = self._alignment.violation if self._alignment else None
        if violation:
            raise unaligned_access(self._image, self._pc(), *violation)
        if self._pc() != self._exchange:
            raise DeviceFaultError(
                f"The firmware stopped {place(self._image, self._pc())} before it answered: "
                "the core sleeps (WFI) or was halted.",
                hint="Report this as a defect unless the source was edited.",
            )

    def _timeout(self, limit: str) -> DeviceTimeoutError:
        return DeviceTimeoutError(
            f"The firmware did not answer within {limit}; it runs "
            f"{place(self._image, self._pc())}.",
            hint="Raise the limit if the network is that large; otherwise the firmware hangs.",
        )

    def _pc(self) -> int:
        return int(self._uc.reg_read(self._core.pc))

    def _watch_accesses(self) -> None:
        from unicorn import unicorn_const

        seen = self._bad_accesses  # not `self`, which the emulator would keep alive

        def remember(
            uc: Any, access: int, address: int, size: int, value: int, user_data: object
        ) -> bool:
            seen.append(BadAccess(access, address, size))
            return False

        invalid = unicorn_const.UC_HOOK_MEM_UNMAPPED | unicorn_const.UC_HOOK_MEM_PROT
        self._uc.hook_add(invalid, remember)

    def _read(self, address: int, count: int) -> bytes:
        import unicorn

        try:
            return bytes(self._uc.mem_read(address, count))
        except unicorn.UcError as error:
            raise _not_in_memory(self._target, address, count) from error

    def _write(self, address: int, data: bytes) -> None:
        import unicorn

        try:
            self._uc.mem_write(address, data)
        except unicorn.UcError as error:
            raise _not_in_memory(self._target, address, len(data)) from error


class _Deadline:
    """Expires a counter after a number of wall seconds, unless left before."""

    def __init__(self, seconds: float, counter: BlockCounter) -> None:
        self._timer = threading.Timer(seconds, counter.expire)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _not_in_memory(target: Target, address: int, count: int) -> DeviceFaultError:
    return DeviceFaultError(
        f"The image places {count} bytes at {address:#010x}, where {target.name} has no memory.",
        hint="Build the firmware for this target.",
    )
