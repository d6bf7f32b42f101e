"""The plugin that feeds firmware in QEMU and counts its instructions: built once in a process."""

from __future__ import annotations

import tempfile
from functools import cache
from importlib.resources import files as resource_files
from pathlib import Path

from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
from edgeflow.errors import ToolFailedError

FIRST_API_VERSION = 1

_SOURCE = "qemu_plugin.c"
_FLAGS = (
    *("-shared", "-fPIC", "-O2", "-std=c99", "-g0", "-fno-sanitize=all", "-fvisibility=hidden"),
    *("-Wall", "-Wextra", "-Wconversion", "-Werror"),
)


@cache
def plugin(api_version: int) -> bytes:
    """The plugin as a shared library, for a version of QEMU's plugin interface.

    QEMU refuses a plugin that asks for another version than it has; what the plugin uses is the
    same in all of them.
    """
    with tempfile.TemporaryDirectory(prefix="edgeflow-") as folder:
        directory = Path(folder)
        text = (resource_files("edgeflow.devices") / "native" / _SOURCE).read_text("utf-8")
        (directory / _SOURCE).write_text(text, encoding="utf-8")
        version = f"-DPLUGIN_API_VERSION={api_version}"
        try:
            run_compiler([*_FLAGS, version, "-o", "plugin.so", _SOURCE], directory)
        except CompilerError as error:
            raise ToolFailedError(
                f"The plugin for QEMU could not be built:\n{error.output}",
                hint="Check that the pinned version of ziglang is installed.",
            ) from error
        return (directory / "plugin.so").read_bytes()
