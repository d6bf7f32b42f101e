"""Exact instruction counts from the emulator's blocks, by a small native hook.

A Python callback for every instruction would take hours for a test set; the hook in C is called for
every block of instructions and knows how many it holds.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.harness import FIRST_LAYER, INVOKE, OUTSIDE, code_owners, owner_count
from edgeflow.devices.native_hooks import add_hook, stop_function
from edgeflow.targets.schema import InstructionSet

_ENCODING = {InstructionSet.THUMB: 0, InstructionSet.RISCV: 1}  # as in block_counter.c


class CounterState(IntEnum):
    """Why the hook stopped the emulator, if it did. Values are those of block_counter.c."""

    RUNNING = 0
    OUT_OF_INSTRUCTIONS = 1
    OUT_OF_TIME = 2


class _Counter(ctypes.Structure):
    """`struct counter` of block_counter.c."""

    _fields_ = [
        ("code", ctypes.c_void_p),
        ("owners", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
        ("instructions", ctypes.c_void_p),
        ("entries", ctypes.c_void_p),
        ("left", ctypes.c_uint64),
        ("stop", ctypes.c_void_p),
        ("code_address", ctypes.c_uint32),
        ("code_bytes", ctypes.c_uint32),
        ("instruction_set", ctypes.c_uint32),
        ("owner", ctypes.c_uint32),
        ("last_owner", ctypes.c_uint32),
        ("next_layer", ctypes.c_uint32),
        ("state", ctypes.c_uint32),
        ("expired", ctypes.c_uint32),
    ]


class BlockCounter:
    """Counts for one emulator and one image; `uc` is a `unicorn.Uc` that has not run yet."""

    def __init__(self, uc: Any, image: FirmwareImage) -> None:
        from unicorn.unicorn_const import UC_HOOK_BLOCK

        self._code = np.frombuffer(image.bin + b"\0\0", dtype=np.uint8)
        self._owners = code_owners(image)
        self._blocks = np.zeros((len(self._owners), 2), dtype=np.uint16)
        self.instructions = np.zeros(owner_count(image), dtype=np.uint64)
        self.entries = np.zeros_like(self.instructions)
        self._counter = _Counter(
            code=self._code.ctypes.data,
            owners=self._owners.ctypes.data,
            blocks=self._blocks.ctypes.data,
            instructions=self.instructions.ctypes.data,
            entries=self.entries.ctypes.data,
            stop=stop_function(),
            code_address=image.load_address,
            code_bytes=len(image.bin),
            instruction_set=_ENCODING[image.instruction_set],
            last_owner=owner_count(image) - 1,
        )
        add_hook(uc, UC_HOOK_BLOCK, "count_block", self._counter)

    def restart(self, limit: int) -> None:
        """Clear the counts before an inference that may take `limit` instructions."""
        self.instructions[:] = 0
        self.entries[:] = 0
        self._counter.left = limit
        self._counter.owner = OUTSIDE
        self._counter.next_layer = FIRST_LAYER
        self._counter.state = CounterState.RUNNING

    def expire(self) -> None:
        """Stop the emulator at its next block; may be called from another thread."""
        self._counter.expired = 1

    @property
    def state(self) -> CounterState:
        """Why the hook stopped the emulator, if it did."""
        return CounterState(self._counter.state)

    def row(self) -> NDArray[np.int64]:
        """The instructions of `edgeflow_invoke` itself and of every layer, in that order."""
        return self.instructions[INVOKE:].astype(np.int64)

    def layer_entries(self) -> NDArray[np.int64]:
        """How often `edgeflow_invoke` called every layer."""
        return self.entries[FIRST_LAYER:].astype(np.int64)
