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
from edgeflow.devices.device import INVOKE_SYMBOL
from edgeflow.devices.native_hooks import add_hook, stop_function
from edgeflow.errors import BundleError

_UNCHANGED = 0xFFFF
_OUTSIDE = 0
_INVOKE = 1
_FIRST_LAYER = 2


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
        ("owner", ctypes.c_uint32),
        ("state", ctypes.c_uint32),
        ("expired", ctypes.c_uint32),
    ]


class BlockCounter:
    """Counts for one emulator and one image; `uc` is a `unicorn.Uc` that has not run yet."""

    def __init__(self, uc: Any, image: FirmwareImage) -> None:
        from unicorn.unicorn_const import UC_HOOK_BLOCK

        self._code = np.frombuffer(image.bin + b"\0\0", dtype=np.uint8)
        self._owners = _owners(image)
        self._blocks = np.zeros((len(self._owners), 2), dtype=np.uint16)
        self.instructions = np.zeros(_FIRST_LAYER + len(image.layers), dtype=np.uint64)
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
        )
        add_hook(uc, UC_HOOK_BLOCK, "count_block", self._counter)

    def restart(self, limit: int) -> None:
        """Clear the counts before an inference that may take `limit` instructions."""
        self.instructions[:] = 0
        self.entries[:] = 0
        self._counter.left = limit
        self._counter.owner = _OUTSIDE
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
        return self.instructions[_INVOKE:].astype(np.int64)

    def layer_entries(self) -> NDArray[np.int64]:
        """How often `edgeflow_invoke` called every layer."""
        return self.entries[_FIRST_LAYER:].astype(np.int64)


def _owners(image: FirmwareImage) -> NDArray[np.uint16]:
    """For each halfword of code, the owner of what runs from a block that starts there."""
    owners = np.full(len(image.bin) // 2 + 1, _UNCHANGED, dtype=np.uint16)

    def slots(name: str) -> slice:
        symbol = image.symbols.get(name)
        if symbol is None or not symbol.is_function or symbol.size_bytes == 0:
            raise BundleError(
                f"The firmware has no function {name!r}, so its instructions cannot be counted.",
                hint="Layer functions need external linkage and must not be inlined.",
            )
        first = (symbol.address - image.load_address) // 2
        if not 0 <= first < len(owners):
            raise BundleError(
                f"The firmware's function {name!r} at {symbol.address:#010x} is not in its code.",
                hint="Build the firmware again.",
            )
        return slice(first, first + symbol.size_bytes // 2)

    owners[slots("edgeflow_main")] = _OUTSIDE
    owners[slots(INVOKE_SYMBOL)] = _INVOKE
    for index, layer in enumerate(image.layers):
        owners[slots(layer.symbol).start] = _FIRST_LAYER + index
    return owners
