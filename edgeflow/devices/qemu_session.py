"""The files through which a run in QEMU gets its inputs and gives its answers and counts.

They lie in a private directory in which QEMU is started; qemu_plugin.c maps them.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.harness import (
    FIRST_LAYER,
    INVOKE,
    address_of,
    code_owners,
    owner_count,
    painted_stack,
)
from edgeflow.errors import DeviceFaultError
from edgeflow.targets.schema import MemoryRegion

FIRMWARE = "firmware.bin"
PLUGIN = "plugin.so"
RAM = "ram"


class SessionState(IntEnum):
    """Why the run ended. Values are those of qemu_plugin.c."""

    RUNNING = 0
    DONE = 1
    OUT_OF_INSTRUCTIONS = 2
    HALTED = 3
    ASLEEP = 4
    OUTSIDE_OF_CODE = 5
    BUFFERS_OUTSIDE_OF_RAM = 6


class _Session(ctypes.LittleEndianStructure):
    """`struct session` of qemu_plugin.c."""

    _fields_ = [
        ("limit", ctypes.c_uint64),
        ("code_address", ctypes.c_uint32),
        ("code_bytes", ctypes.c_uint32),
        ("ram_address", ctypes.c_uint32),
        ("ram_bytes", ctypes.c_uint32),
        ("exchange", ctypes.c_uint32),
        ("halt", ctypes.c_uint32),
        ("buffers", ctypes.c_uint32),
        ("input_bytes", ctypes.c_uint32),
        ("output_bytes", ctypes.c_uint32),
        ("inferences", ctypes.c_uint32),
        ("owners", ctypes.c_uint32),
        ("state", ctypes.c_uint32),
        ("done", ctypes.c_uint32),
        ("block", ctypes.c_uint32),
    ]


@dataclass(frozen=True, eq=False)
class SessionResult:
    """What a run left, finished or not.

    `counts` is int64 [done, 1 + layers], `entries` int64 [done, layers]; `block` is where the last
    block of instructions began.
    """

    state: SessionState
    done: int
    block: int
    outputs: NDArray[np.int8]
    counts: NDArray[np.int64]
    entries: NDArray[np.int64]
    stack: bytes


def write_session(
    directory: Path,
    image: FirmwareImage,
    ram: MemoryRegion,
    rows: NDArray[np.int8],
    limit_instructions: int,
) -> None:
    """Lay out all files but plugin and firmware; RAM is empty but for the painted stack."""
    session = _Session(
        limit=min(limit_instructions, 2**64 - 1),
        code_address=image.load_address,
        code_bytes=len(image.bin),
        ram_address=ram.origin,
        ram_bytes=ram.size_bytes,
        exchange=address_of(image, "edgeflow_exchange"),
        halt=address_of(image, "edgeflow_halt"),
        buffers=address_of(image, "edgeflow_buffers"),
        input_bytes=image.input_bytes,
        output_bytes=image.output_bytes,
        inferences=len(rows),
        owners=owner_count(image),
    )
    (directory / "session").write_bytes(bytes(session))
    (directory / "owners").write_bytes(code_owners(image).tobytes())
    (directory / "inputs").write_bytes(rows.tobytes() or b"\0")
    _make_empty(directory / "outputs", len(rows) * image.output_bytes)
    _make_empty(directory / "counts", len(rows) * owner_count(image) * 16)
    stack = painted_stack(image)
    at = _stack_offset(image, ram)
    if at + len(stack) > ram.size_bytes:
        raise DeviceFaultError(
            f"The image places its stack of {len(stack)} bytes outside of RAM '{ram.name}'.",
            hint="Build the firmware for this target.",
        )
    _make_empty(directory / RAM, ram.size_bytes)
    with (directory / RAM).open("r+b") as stream:
        stream.seek(at)
        stream.write(stack)


def read_session(directory: Path, image: FirmwareImage, ram: MemoryRegion) -> SessionResult:
    """What the run in a directory has left there, finished or not."""
    session = _Session.from_buffer_copy((directory / "session").read_bytes())
    done, owners = session.done, session.owners
    outputs = np.fromfile(directory / "outputs", dtype=np.int8, count=done * image.output_bytes)
    words = np.fromfile(directory / "counts", dtype="<u8", count=done * 2 * owners)
    table = words.astype(np.int64).reshape(done, 2, owners)
    return SessionResult(
        state=SessionState(session.state),
        done=done,
        block=session.block,
        outputs=outputs.reshape(done, image.output_bytes),
        counts=table[:, 0, INVOKE:],
        entries=table[:, 1, FIRST_LAYER:],
        stack=read_ram(directory, ram, _stack_offset(image, ram), image.stack_bytes),
    )


def read_ram(directory: Path, ram: MemoryRegion, offset: int, count: int) -> bytes:
    """Bytes of the board's RAM after the run; fewer where RAM ends."""
    with (directory / RAM).open("rb") as stream:
        stream.seek(min(max(offset, 0), ram.size_bytes))
        return stream.read(count)


def _stack_offset(image: FirmwareImage, ram: MemoryRegion) -> int:
    offset = address_of(image, "edgeflow_stack_bottom") - ram.origin
    if not 0 <= offset < ram.size_bytes:
        raise DeviceFaultError(
            f"The image places its stack outside of RAM '{ram.name}'.",
            hint="Build the firmware for this target.",
        )
    return offset


def _make_empty(path: Path, size_bytes: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(max(size_bytes, 1))
