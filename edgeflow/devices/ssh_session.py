"""A folder on a board that ssh reaches: `ssh://[user@]host[:port]`.

The system's own `ssh` connects, with the user's configuration and keys and without questions; one
connection serves all commands of a session.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgeflow.backends.native.toolchain import RUNNER
from edgeflow.devices.linux_session import Session, crashed, hung
from edgeflow.errors import ConfigError, DeviceFaultError, MissingToolError, StorageError

CONFIG_VARIABLE = "EDGEFLOW_SSH_CONFIG"

_SCHEME = "ssh"
_UNREACHABLE = 255
_SIGNALLED = 128
_SECONDS = 120.0
_FOLDER = re.compile(r"/[\w./-]*/edgeflow\.[A-Za-z0-9]{6,}")
_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ControlMaster=auto",
    "ControlPersist=yes",
)


@dataclass(frozen=True)
class Address:
    """Where a board is: what ssh takes as destination, and the port if it is not ssh's own."""

    destination: str
    port: int | None

    def __str__(self) -> str:
        """As it was written."""
        return f"{_SCHEME}://{self.destination}" + (f":{self.port}" if self.port else "")


def parse_address(text: str) -> Address:
    """The address in a device's name. Raises ConfigError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.netloc.rpartition(":")[0] if port else parts.netloc
    if parts.scheme != _SCHEME or not host or host.startswith("-") or parts.path.strip("/"):
        raise ConfigError(
            f"device {text!r}: a board is named {_SCHEME}://[user@]host[:port]",
            hint=f"such as {_SCHEME}://pi@raspberrypi.local",
        )
    return Address(host, port)


@dataclass(frozen=True)
class Shell:
    """Commands on a board, over one connection whose socket is at `control`."""

    address: Address
    control: str

    def run(
        self, command: str, content: bytes = b"", seconds: float = _SECONDS
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command of the board's shell with `content` as its input.

        Raises DeviceFaultError where the board is not reached or the connection is lost.
        """
        finished = subprocess.run(
            [*self._ssh(), self.address.destination, command],
            input=content,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        if finished.returncode == _UNREACHABLE:
            words = finished.stderr.decode("utf-8", "replace").strip().splitlines()
            raise DeviceFaultError(
                f"{self.address} cannot be used: {words[-1] if words else 'the connection ended'}",
                hint=f"Check that `ssh {self.address.destination}` works without questions: the "
                "host's key known, yours accepted.",
            )
        return finished

    def close(self) -> None:
        """End the connection."""
        with suppress(subprocess.SubprocessError, OSError):
            subprocess.run(
                [*self._ssh(), "-O", "exit", self.address.destination],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=10,
                check=False,
            )

    def _ssh(self) -> list[str]:
        program = shutil.which(_SCHEME)
        if program is None:
            raise MissingToolError(
                f"{self.address} needs the program 'ssh', which is absent.",
                hint="Install it (Debian, Ubuntu: apt install openssh-client).",
            )
        config = os.environ.get(CONFIG_VARIABLE)
        options = [part for option in _OPTIONS for part in ("-o", option)]
        port = ["-p", str(self.address.port)] if self.address.port else []
        files = ["-F", config] if config else []
        return [program, *files, *options, "-o", f"ControlPath={self.control}", *port, "-T"]


@dataclass(frozen=True)
class SshSession:
    """A folder on a board."""

    shell: Shell
    folder: str
    source: str

    def put(self, name: str, content: bytes) -> None:
        """Write a file."""
        finished = self.shell.run(f"cat > {shlex.quote(f'{self.folder}/{name}')}", content)
        if finished.returncode != 0:
            words = finished.stderr.decode("utf-8", "replace").strip().splitlines()
            raise StorageError(
                f"{name} ({len(content)} bytes) cannot be written on {self.shell.address}: "
                f"{words[-1] if words else f'exit status {finished.returncode}'}",
                hint=f"Free space below {self.folder.rpartition('/')[0]} on the board, or set "
                "TMPDIR there.",
            )

    def get(self, name: str) -> bytes:
        """A file's content."""
        finished = self.shell.run(f"cat {shlex.quote(f'{self.folder}/{name}')}")
        if finished.returncode != 0:
            raise DeviceFaultError(
                f"{name} cannot be read on {self.shell.address}.",
                hint="The board may have cleared its temporary files; run it again.",
            )
        return finished.stdout

    def start(self, arguments: Sequence[str], seconds: float) -> None:
        """Start the runner and wait for it."""
        # With a command behind it the shell stays, and tells a signal as an exit status.
        command = f"cd {shlex.quote(self.folder)} && ./{RUNNER} {shlex.join(arguments)}; exit $?"
        try:
            finished = self.shell.run(command, seconds=seconds)
        except subprocess.TimeoutExpired as error:
            raise hung(self.source, seconds) from error
        code = finished.returncode
        if code != 0:
            signalled = _SIGNALLED < code < _UNREACHABLE
            raise crashed(self.source, _SIGNALLED - code if signalled else code, finished.stderr)


@contextmanager
def shell_on(address: Address) -> Iterator[Shell]:
    """A connection to a board, ended at the end."""
    with tempfile.TemporaryDirectory(prefix="edgeflow-ssh-") as folder:
        shell = Shell(address, f"{folder}/control")
        try:
            yield shell
        finally:
            shell.close()


@contextmanager
def ssh_session(runner: bytes, address: Address, source: str) -> Iterator[Session]:
    """A private folder on a board with the runner in it, removed at the end."""
    with shell_on(address) as shell:
        made = shell.run('mktemp -d "${TMPDIR:-/tmp}/edgeflow.XXXXXXXX"')
        folder = made.stdout.decode("utf-8", "replace").strip()
        if made.returncode != 0 or not _FOLDER.fullmatch(folder):
            raise StorageError(
                f"{address} gives no folder for temporary files: "
                f"{made.stderr.decode('utf-8', 'replace').strip() or folder}",
                hint="Free space in /tmp of the board, or set TMPDIR there.",
            )
        try:
            session = SshSession(shell, folder, source)
            session.put(RUNNER, runner)
            shell.run(f"chmod 755 {shlex.quote(f'{folder}/{RUNNER}')}")
            yield session
        finally:
            with suppress(DeviceFaultError, subprocess.TimeoutExpired):
                shell.run(f"rm -r {shlex.quote(folder)}")
