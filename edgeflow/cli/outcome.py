"""From outcomes to exit codes: the one place that turns errors into words."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from edgeflow.errors import EdgeflowError, ExitCode, StorageError

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
        with contextlib.suppress(StorageError):  # stderr has told it already
            print_document({"error": error_document(code, message, hint)})


def error_document(code: ExitCode, message: str, hint: str) -> dict[str, Any]:
    """An error as JSON."""
    kind = code.name.lower().replace("_", "-")
    return {"kind": kind, "exit_code": int(code), "message": message, "hint": hint}


def print_document(document: Any) -> None:
    """Print the one JSON document of a command on stdout."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with answer_stream() as stream:
        print(text, file=stream)


@contextlib.contextmanager
def answer_stream() -> Iterator[TextIO]:
    """Where a command's answer goes: stdout. Raises StorageError where it cannot be written."""
    stream = sys.__stdout__
    if stream is None:
        raise StorageError("standard output is closed", hint="send it to a file or a terminal")
    try:
        yield stream
        stream.flush()
    except OSError as error:
        # Python flushes what is left when it ends, and would fail once more.
        with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        raise StorageError(
            f"the answer cannot be written to standard output: {error.strerror}",
            hint="send it where there is space, to a reader that reads it whole",
        ) from error


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
