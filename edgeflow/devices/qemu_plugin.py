"""The plugin that feeds firmware in QEMU and counts its instructions: built once in a process."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from importlib.resources import files as resource_files
from pathlib import Path

from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
from edgeflow.errors import ToolFailedError

FIRST_API_VERSION = 1
WANTED_API = re.compile(r"supports only (?:up to|a minimum) version (?:of )?(\d+)")
"""What QEMU says to a plugin of another version."""

MARK = 3807
"""The number of the system call that marks a place in a program; no system has one."""

_SOURCE = "qemu_plugin.c"
_USER_SOURCE = "qemu_user_plugin.c"
_FLAGS = (
    *("-shared", "-fPIC", "-O2", "-std=c99", "-g0", "-fno-sanitize=all", "-fvisibility=hidden"),
    *("-Wall", "-Wextra", "-Wconversion", "-Werror"),
)


def plugin(api_version: int) -> bytes:
    """The plugin as a shared library, for a version of QEMU's plugin interface.

    QEMU refuses a plugin that asks for another version than it has; what the plugin uses is the
    same in all of them.
    """
    return _built(_SOURCE, api_version)


def user_plugin(api_version: int) -> bytes:
    """That of user mode: it counts instructions between marks."""
    return _built(_USER_SOURCE, api_version)


@cache
def _built(source: str, api_version: int) -> bytes:
    with tempfile.TemporaryDirectory(prefix="edgeflow-") as folder:
        directory = Path(folder)
        text = (resource_files("edgeflow.devices") / "native" / source).read_text("utf-8")
        (directory / source).write_text(text, encoding="utf-8")
        values = (f"-DPLUGIN_API_VERSION={api_version}", f"-DMARK={MARK}")
        try:
            run_compiler([*_FLAGS, *values, "-o", "plugin.so", source], directory)
        except CompilerError as error:
            raise ToolFailedError(
                f"The plugin for QEMU could not be built:\n{error.output}",
                hint="Check that the pinned version of ziglang is installed.",
            ) from error
        return (directory / "plugin.so").read_bytes()
