"""Hooks of the emulator in C: built once in a process, by the compiler that builds firmware.

Unicorn's Python binding takes only Python callbacks, which are too slow for what runs millions of
times; its C library takes native ones.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from functools import cache
from importlib.resources import files as resource_files
from pathlib import Path
from typing import Any

from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
from edgeflow.errors import ToolFailedError

_SOURCES = ("alignment.c", "block_counter.c", "flow_counter.c")
_FLAGS = ("-shared", "-fPIC", "-O2", "-std=c99", "-g0", "-fno-sanitize=all")


def add_hook(uc: Any, kind: int, function: str, data: ctypes.Structure) -> None:
    """Call a C function with `data` at every event of a kind; `data` must outlive the emulator.

    Raises ToolFailedError when the hooks cannot be built or the emulator refuses them.
    """
    from unicorn.unicorn_py3.unicorn import uc_hook_h, uclib

    status = uclib.uc_hook_add(
        uc._uch,
        ctypes.byref(uc_hook_h()),
        kind,
        ctypes.cast(getattr(_library(), function), ctypes.c_void_p),
        ctypes.cast(ctypes.byref(data), ctypes.c_void_p),
        1,
        0,
    )
    if status != 0:
        raise ToolFailedError(
            f"The emulator refused the hook {function!r} (status {status}).",
            hint="Install the pinned version of unicorn.",
        )


def stop_function() -> int:
    """The address of the emulator's C function that stops a running engine."""
    from unicorn.unicorn_py3.unicorn import uclib

    return ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p).value or 0


@cache
def _library() -> ctypes.CDLL:
    """The hooks' library. Its folder is removed once it is loaded, where the system permits."""
    name = "hooks.dll" if sys.platform == "win32" else "hooks.so"
    with tempfile.TemporaryDirectory(prefix="edgeflow-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        for source in _SOURCES:
            text = (resource_files("edgeflow.devices") / "native" / source).read_text("utf-8")
            (directory / source).write_text(text, encoding="utf-8")
        try:
            run_compiler([*_FLAGS, "-o", name, *_SOURCES], directory)
        except CompilerError as error:
            raise ToolFailedError(
                f"The emulator's hooks could not be built:\n{error.output}",
                hint="Check that the pinned version of ziglang is installed.",
            ) from error
        return ctypes.CDLL(str(directory / name))
