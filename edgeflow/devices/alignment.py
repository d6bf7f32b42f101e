"""Unaligned accesses: faults of an Armv6-M core that the emulator does not raise by itself."""

from __future__ import annotations

import ctypes
from typing import Any

from edgeflow.devices.native_hooks import add_hook, stop_function


class _Watch(ctypes.Structure):
    """`struct watch` of alignment.c."""

    _fields_ = [
        ("stop", ctypes.c_void_p),
        ("address", ctypes.c_uint32),
        ("size_bytes", ctypes.c_uint32),
        ("seen", ctypes.c_uint32),
    ]


class AlignmentWatch:
    """Stops an emulator at its first unaligned access."""

    def __init__(self, uc: Any) -> None:
        from unicorn.unicorn_const import UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE

        self._watch = _Watch(stop=stop_function())
        add_hook(uc, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, "check_alignment", self._watch)

    @property
    def violation(self) -> tuple[int, int] | None:
        """Address and size in bytes of the unaligned access, if there was one."""
        return (self._watch.address, self._watch.size_bytes) if self._watch.seen else None
