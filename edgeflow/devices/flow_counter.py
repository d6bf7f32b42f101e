"""How often every instruction of an inference runs, and how often it branches."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import INVOKE_SYMBOL
from edgeflow.devices.harness import address_of
from edgeflow.devices.native_hooks import add_hook


@dataclass(frozen=True, eq=False)
class CodeFlow:
    """int64 [halfwords of code + 1] each, for one inference.

    `executions` of the instruction that covers a halfword; `taken`: how often the instruction that
    ends before a halfword was followed by another one than that which lies there.
    """

    executions: NDArray[np.int64]
    taken: NDArray[np.int64]


class _Flow(ctypes.Structure):
    """`struct flow` of flow_counter.c."""

    _fields_ = [
        ("changes", ctypes.c_void_p),
        ("taken", ctypes.c_void_p),
        ("code_address", ctypes.c_uint32),
        ("code_bytes", ctypes.c_uint32),
        ("invoke", ctypes.c_uint32),
        ("main_first", ctypes.c_uint32),
        ("main_end", ctypes.c_uint32),
        ("previous_end", ctypes.c_uint32),
        ("active", ctypes.c_uint32),
    ]


class FlowCounter:
    """Counts for one emulator and one image; `uc` is a `unicorn.Uc` that has not run yet."""

    def __init__(self, uc: Any, image: FirmwareImage) -> None:
        from unicorn.unicorn_const import UC_HOOK_BLOCK

        self._changes = np.zeros(len(image.bin) // 2 + 1, dtype=np.int64)
        self._taken = np.zeros_like(self._changes)
        main = address_of(image, "edgeflow_main")
        self._flow = _Flow(
            changes=self._changes.ctypes.data,
            taken=self._taken.ctypes.data,
            code_address=image.load_address,
            code_bytes=len(image.bin) // 2 * 2,
            invoke=address_of(image, INVOKE_SYMBOL),
            main_first=main,
            main_end=main + image.symbols["edgeflow_main"].size_bytes,
        )
        add_hook(uc, UC_HOOK_BLOCK, "count_flow", self._flow)

    def flow(self) -> CodeFlow:
        """What was counted until now."""
        return CodeFlow(np.cumsum(self._changes), self._taken.copy())
