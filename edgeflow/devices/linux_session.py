"""A folder on a Linux machine in which a runner works; this machine's, or that of an emulator."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeflow.backends.native.toolchain import RUNNER
from edgeflow.errors import DeviceFaultError, DeviceTimeoutError, StorageError

_DEFECT = "Report this as a defect unless the source was edited."


class Session(Protocol):
    """The folder, as long as it is there; the runner lies in it."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file. Raises StorageError where there is no room."""
        ...

    def get(self, name: str) -> bytes:
        """A file's content. Raises DeviceError."""
        ...

    def start(self, arguments: Sequence[str], seconds: float) -> None:
        """Start the runner and wait for it.

        Raises DeviceFaultError for a crash, DeviceTimeoutError beyond the limit.
        """
        ...


@dataclass(frozen=True)
class LocalSession:
    """A private folder here; `prefix` are the words before the runner's path."""

    folder: Path
    prefix: tuple[str, ...]
    source: str

    def put(self, name: str, content: bytes) -> None:
        """Write a file."""
        try:
            (self.folder / name).write_bytes(content)
        except OSError as error:
            free = shutil.disk_usage(self.folder).free
            raise StorageError(
                f"{name} ({len(content)} bytes) cannot be written: {error.strerror or error}; "
                f"{free} bytes are free.",
                hint="Free space, or set TMPDIR to a folder with more.",
            ) from error

    def get(self, name: str) -> bytes:
        """A file's content."""
        return (self.folder / name).read_bytes()

    def start(self, arguments: Sequence[str], seconds: float) -> None:
        """Start the runner and wait for it."""
        command = [*self.prefix, f"./{RUNNER}", *arguments]
        try:
            finished = subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise hung(self.source, seconds) from error
        except OSError as error:
            raise DeviceFaultError(
                f"The runner cannot be started on {self.source}: {error.strerror}.",
                hint="Check that programs in the folder for temporary files may run (TMPDIR).",
            ) from error
        if finished.returncode != 0:
            raise crashed(self.source, finished.returncode, finished.stderr)


@contextmanager
def local_session(runner: bytes, prefix: tuple[str, ...], source: str) -> Iterator[Session]:
    """A private folder with the runner in it, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="edgeflow-linux-") as name:
        session = LocalSession(Path(name), prefix, source)
        session.put(RUNNER, runner)
        (session.folder / RUNNER).chmod(0o755)
        yield session


def hung(source: str, seconds: float) -> DeviceTimeoutError:
    """The error of a runner that did not finish."""
    return DeviceTimeoutError(
        f"The model did not finish on {source} within {seconds:g} s.",
        hint="Raise the limit if the network is that large; otherwise it hangs.",
    )


def crashed(source: str, code: int, stderr: bytes) -> DeviceFaultError:
    """The error of a runner that ended with a signal (as -number) or an exit status."""
    words = stderr.decode("utf-8", "replace").strip().splitlines()
    said = f": {words[-1]}" if words else ""
    reason = f"exit status {code}{said}"
    if code < 0:
        reason = f"{signal.Signals(-code).name} ({signal.strsignal(-code)}){said}"
    hint = _DEFECT
    if code == -signal.SIGILL:
        hint = "The processor lacks instructions that the target has: build for another target."
    return DeviceFaultError(f"The model crashed on {source}: {reason}.", hint=hint)
