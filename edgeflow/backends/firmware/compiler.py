"""The compiler of the `ziglang` package, run with fixed caches and a fixed environment."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeflow.errors import MissingToolError, StorageError, ToolFailedError

TIMEOUT_SECONDS = 600

_IGNORED_VARIABLES = frozenset(
    {"CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "CC", "CFLAGS", "LDFLAGS", "ZIG_LIB_DIR"}
)


class CompilerError(Exception):
    """The compiler refused its input; `output` is what it said."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output


def run_compiler(arguments: Sequence[str], directory: Path) -> None:
    """Run `zig cc` in a private directory; object caches stay inside it.

    Raises CompilerError with the compiler's words, MissingToolError when it is not installed.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise MissingToolError(
            "The C compiler is missing: the Python package 'ziglang' is not installed.",
            hint="Install it with: pip install ziglang",
        )
    command = [sys.executable, "-m", "ziglang", "cc", "-fno-color-diagnostics", *arguments]
    try:
        finished = subprocess.run(
            command,
            cwd=directory,
            env=_environment(directory),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailedError(
            f"The C compiler did not finish within {TIMEOUT_SECONDS} s.",
            hint="Check the machine's load and its free memory.",
        ) from error
    if finished.returncode != 0:
        output = finished.stderr.decode("utf-8", "replace") or finished.stdout.decode(
            "utf-8", "replace"
        )
        raise CompilerError(output or f"exit status {finished.returncode} without a message")


def cache_directory() -> Path:
    """Where the compiler keeps its runtime library between builds, one folder per user."""
    return tool_cache("zig")


def tool_cache(name: str) -> Path:
    """What a tool keeps between builds, one folder per user and tool; made where needed."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA")
        root = Path(base) if base else Path.home() / "AppData" / "Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME")
        root = Path(base) if base and os.path.isabs(base) else Path.home() / ".cache"
    directory = root / "edgeflow" / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The compiler's cache directory {directory} cannot be made: {error.strerror}.",
            hint="Set XDG_CACHE_HOME to a directory that can be written.",
        ) from error
    return directory


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: v for name, v in os.environ.items() if name not in _IGNORED_VARIABLES}
    return {
        **kept,
        "LC_ALL": "C",
        "ZIG_GLOBAL_CACHE_DIR": str(cache_directory()),
        "ZIG_LOCAL_CACHE_DIR": str(directory / ".cache"),
    }
