"""The lock of a run directory: one build at a time; the system frees it when a build dies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeflow.errors import BusyError
from edgeflow.pipeline.storage import json_bytes, storage_errors, write_file

LOCK = "lock"
# The holder's name lies beside the lock: a locked file cannot be read on every system.
OWNER = "lock.json"


@contextmanager
def hold(run_dir: Path) -> Iterator[None]:
    """Hold the run directory's lock. Raises BusyError, which names the holder's process id."""
    from filelock import FileLock, Timeout

    lock = FileLock(run_dir / LOCK)
    with storage_errors(run_dir):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(
                f"another build{_describe_owner(run_dir)} holds {run_dir}",
                hint="wait for it to end, or choose another --run-dir",
            ) from None
    try:
        with storage_errors(run_dir):
            write_file(run_dir / OWNER, json_bytes({"pid": os.getpid()}))
        yield
    finally:
        (run_dir / OWNER).unlink(missing_ok=True)
        lock.release()


def _describe_owner(run_dir: Path) -> str:
    try:
        return f" (process {int(json.loads((run_dir / OWNER).read_bytes())['pid'])})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
