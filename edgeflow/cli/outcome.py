"""From outcomes to exit codes: the one place that turns errors into words."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from edgeflow.errors import EdgeflowError, ExitCode

DEBUG_VARIABLE = "EDGEFLOW_DEBUG"
AGAIN = "run the same command again to go on; finished stages are kept"


def run_command(command: Callable[[], int], *, as_json: bool, debug: bool) -> int:
    """Run a command and give its exit code; errors become a message and a hint on stderr."""
    try:
        return command()
    except EdgeflowError as error:
        if debug:
            traceback.print_exc(file=sys.stderr)
        tell_error(error.exit_code, error.message, error.hint, as_json=as_json)
        return int(error.exit_code)
    except KeyboardInterrupt:
        tell_error(ExitCode.INTERRUPTED, "interrupted", AGAIN, as_json=as_json)
        return int(ExitCode.INTERRUPTED)
    except Exception as error:
        if debug:
            traceback.print_exc(file=sys.stderr)
        message = f"this is a defect of edgeflow: {type(error).__name__}: {error}"
        tell_error(ExitCode.INTERNAL, message, _log_hint(), as_json=as_json)
        return int(ExitCode.INTERNAL)


def tell_error(code: ExitCode, message: str, hint: str, *, as_json: bool) -> None:
    """Say what happened and what to do, on stderr; with `--json` also as the document."""
    print(f"edgeflow: {message}", file=sys.stderr)
    if hint:
        print(f"  hint: {hint}", file=sys.stderr)
    if as_json:
        print_document({"error": error_document(code, message, hint)})


def error_document(code: ExitCode, message: str, hint: str) -> dict[str, Any]:
    """An error as JSON."""
    kind = code.name.lower().replace("_", "-")
    return {"kind": kind, "exit_code": int(code), "message": message, "hint": hint}


def print_document(document: Any, stream: TextIO | None = None) -> None:
    """Print the one JSON document of a command on stdout."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    print(text, file=stream or sys.__stdout__)


def is_debugging(arguments: list[str]) -> bool:
    """Whether tracebacks are wanted."""
    return "--debug" in arguments or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def _log_hint() -> str:
    """Where the traceback is; on stderr if no file can be written."""
    with contextlib.suppress(OSError):
        descriptor, path = tempfile.mkstemp(prefix="edgeflow-defect-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{sys.version}\n{sys.argv}\n")
            traceback.print_exc(file=stream)
        return f"please report it with the log {path}"
    traceback.print_exc(file=sys.stderr)
    return "please report it with the traceback above"
