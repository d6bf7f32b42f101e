"""CUDA C to PTX by NVIDIA's run-time compiler, which needs no GPU, for drivers as old as wanted."""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

from edgeflow.errors import DoesNotFitError, MissingToolError, ToolFailedError

NVRTC = "nvidia-cuda-nvrtc-cu12"
ASSEMBLER = "nvidia-cuda-nvcc-cu12"
_LIBRARY = re.compile(r"libnvrtc\.so\.\d+$")
_PTXAS = re.compile(r"bin/ptxas$")
_VERSION = re.compile(r"^\.version \d+\.\d+$", re.MULTILINE)
_SECONDS = 300.0


def to_ptx(source: str, architecture: str, ptx_version: str) -> str:
    """PTX of the version that the target's driver compiles, for an architecture such as sm_53.

    NVRTC writes its own, newer version; the text is taken as the older one where NVIDIA's assembler
    takes it so, which knows since when there is what. Raises DoesNotFitError where it does not,
    ToolFailedError with what the compiler said, MissingToolError without one of them.
    """
    compute = architecture.replace("sm_", "compute_")
    ptx = _compiled(source, (f"--gpu-architecture={compute}", "--std=c++17"))
    older = _VERSION.sub(f".version {ptx_version}", ptx, count=1)
    _assemble(older, architecture, ptx_version)
    return older


def _assemble(ptx: str, architecture: str, ptx_version: str) -> None:
    with tempfile.TemporaryDirectory(prefix="edgeflow-ptx-") as folder:
        (Path(folder) / "kernels.ptx").write_text(ptx, encoding="utf-8")
        command = [str(_part(ASSEMBLER, _PTXAS)), f"-arch={architecture}", "kernels.ptx"]
        finished = subprocess.run(
            [*command, "-o", "kernels.cubin"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    if finished.returncode != 0:
        said = finished.stderr.decode("utf-8", "replace").strip().splitlines()
        raise DoesNotFitError(
            f"The kernels need more than PTX {ptx_version} for {architecture}: "
            f"{said[0] if said else 'ptxas failed'}.",
            hint="Report this as a defect, unless the target file was edited.",
        )


def _compiled(source: str, options: Sequence[str]) -> str:
    nvrtc = ctypes.CDLL(str(_part(NVRTC, _LIBRARY)))
    program = ctypes.c_void_p()
    name = b"edgeflow_kernels.cu"
    created = nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name, 0, None, None)
    if created != 0:
        raise ToolFailedError(f"NVRTC failed with {created}.", hint="Install it again.")
    try:
        words = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if nvrtc.nvrtcCompileProgram(program, len(options), words) != 0:
            log = _text(nvrtc, program, "ProgramLog")
            raise ToolFailedError(
                f"Compiling the kernels failed:\n{log.strip()}", hint="Report this as a defect."
            )
        return _text(nvrtc, program, "PTX")
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _text(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> str:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, buffer)
    return buffer.value.decode("utf-8", "replace")


def _part(package: str, name: re.Pattern[str]) -> Path:
    """A file of an installed package."""
    try:
        version(package)
    except PackageNotFoundError as error:
        raise MissingToolError(
            f"The package {package} is not installed.",
            hint="Install it: pip install 'edgeflow[gpu]'.",
        ) from error
    for file in files(package) or ():
        if name.search(str(file)):
            path = Path(str(file.locate()))
            path.chmod(path.stat().st_mode | 0o111)
            return path
    raise MissingToolError(f"{package} holds nothing for this system.", hint="Use Linux on x86-64.")
