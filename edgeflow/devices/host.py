"""This host: the same C compiled natively, for fast cross-checks. It counts nothing."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.toolchain import HostLibrary
from edgeflow.devices import host_worker
from edgeflow.devices.device import DeviceRun, RunLimits, flat_inputs
from edgeflow.errors import DeviceFaultError, DeviceTimeoutError
from edgeflow.figures import FigureKind


class HostDevice:
    """Runs the model in a worker process, so that a crash of native code is a fault, not ours."""

    def run(self, library: HostLibrary, inputs: NDArray[np.int8], limits: RunLimits) -> DeviceRun:
        """Run one inference for each input; see `Device.run`. Only the wall limit applies."""
        rows = flat_inputs(inputs, library.input_bytes)
        with tempfile.TemporaryDirectory(prefix="edgeflow-host-") as name:
            directory = Path(name)
            model = directory / f"model{library.suffix}"
            model.write_bytes(library.library)
            rows.tofile(directory / "inputs")
            finished = _run_worker(directory, model, library, limits)
            outputs = (directory / "outputs").read_bytes() if finished.returncode == 0 else b""
            done = _size(directory / "outputs") // max(library.output_bytes, 1)
        if finished.returncode != 0:
            raise _fault(finished, done, len(rows))
        return DeviceRun(
            outputs=np.frombuffer(outputs, dtype=np.int8).reshape(-1, library.output_bytes).copy(),
            instructions=np.empty(0, dtype=np.int64),
            layers=(),
            stack_bytes=None,
            kind=FigureKind.MEASURED,
            source=f"this host ({platform.machine()}), native code",
        )


def _run_worker(
    directory: Path, model: Path, library: HostLibrary, limits: RunLimits
) -> subprocess.CompletedProcess[bytes]:
    command = [
        *(sys.executable, "-I", "-S", host_worker.__file__),
        *(str(model), str(directory / "inputs"), str(directory / "outputs")),
        *(str(library.input_bytes), str(library.output_bytes)),
    ]
    try:
        return subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceTimeoutError(
            f"The model did not finish on this host within {limits.seconds:g} s.",
            hint="Raise the limit if the network is that large; otherwise it hangs.",
        ) from error


def _fault(finished: subprocess.CompletedProcess[bytes], done: int, total: int) -> DeviceFaultError:
    code = finished.returncode
    if code < 0:
        reason = f"{signal.Signals(-code).name} ({signal.strsignal(-code)})"
    else:
        words = finished.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = f"exit status {code}" + (f": {words[-1]}" if words else "")
    return DeviceFaultError(
        f"The model crashed on this host after {done} of {total} inferences: {reason}.",
        hint="Report this as a defect unless the source was edited.",
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
