"""The Arm embedded GCC with a C++ library, which is what users of TensorFlow Lite Micro have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from edgeflow.backends.firmware.compiler import CompilerError
from edgeflow.errors import ConfigError, MissingToolError, ToolFailedError
from edgeflow.targets.schema import Target

CPP = "arm-none-eabi-g++"
C = "arm-none-eabi-gcc"
INSTALL_HINT = (
    "install it (Debian, Ubuntu: apt install gcc-arm-none-eabi libnewlib-arm-none-eabi "
    "libstdc++-arm-none-eabi-newlib)"
)
TIMEOUT_SECONDS = 600

# A core's options as in TFLM's own builds. Cores with a vector extension use it.
_CORES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Cortex-M0+": ("-mcpu=cortex-m0plus", "-mfloat-abi=soft"),
        "Cortex-M3": ("-mcpu=cortex-m3", "-mfloat-abi=soft"),
        "Cortex-M4": ("-mcpu=cortex-m4+nofp", "-mfloat-abi=soft"),
        "Cortex-M7": ("-mcpu=cortex-m7+nofp", "-mfloat-abi=soft"),
        "Cortex-M33": ("-mcpu=cortex-m33+nofp", "-mfloat-abi=soft"),
        "Cortex-M55": ("-mcpu=cortex-m55", "-mfpu=auto", "-mfloat-abi=hard"),
        "Cortex-M85": ("-mcpu=cortex-m85", "-mfpu=auto", "-mfloat-abi=hard"),
    }
)
_COMMON = (
    "-mthumb",
    "-mlittle-endian",
    "-funsigned-char",
    "-fomit-frame-pointer",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-fmessage-length=0",
    "-g0",
)
# A release build with CMSIS-NN.
_DEFINES = (
    "-DTF_LITE_STATIC_MEMORY",
    "-DTF_LITE_DISABLE_X86_NEON",
    "-DTF_LITE_MCU_DEBUG_LOG",
    "-DTF_LITE_STRIP_ERROR_STRINGS",
    "-DNDEBUG",
    "-DCMSIS_NN",
    "-DKERNELS_OPTIMIZED_FOR_SPEED",
    "-DARM_NN_ENABLE_F16=0",
    "-DARM_NN_ENABLE_F32=0",
)
_LANGUAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CPP: ("-std=c++17", "-fno-rtti", "-fno-exceptions", "-fno-threadsafe-statics"),
        C: ("-std=c17",),
    }
)


def core_flags(target: Target) -> tuple[str, ...]:
    """The options that choose a target's core. Raises ConfigError where GCC has none here."""
    if target.core.name not in _CORES:
        raise ConfigError(
            f"engine = 'tflm': target {target.name} ({target.core.name}) has no build of "
            "TensorFlow Lite Micro with CMSIS-NN here",
            hint=f"cores: {', '.join(_CORES)}",
        )
    return _CORES[target.core.name]


def compile_flags(program: str, target: Target) -> tuple[str, ...]:
    """Every option that one of the two compilers takes for a target, includes excepted."""
    return (*core_flags(target), *_COMMON, *_DEFINES, *_LANGUAGES[program])


def link_flags(target: Target) -> tuple[str, ...]:
    """The options of a link without the C library's startup code."""
    return (
        *(*core_flags(target), "-mthumb", "-nostartfiles", "--specs=nosys.specs"),
        *("-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096"),
    )


def run_gcc(program: str, arguments: Sequence[str], directory: Path) -> None:
    """Run one of the compilers in a directory.

    Raises CompilerError with its words, MissingToolError where it is not installed.
    """
    path = shutil.which(program)
    if path is None:
        raise MissingToolError(
            f"The engine tflm needs the compiler {program!r}, which is absent.",
            hint=f"{INSTALL_HINT[0].upper()}{INSTALL_HINT[1:]}.",
        )
    try:
        finished = subprocess.run(
            [path, *arguments],
            cwd=directory,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailedError(
            f"{program} did not finish within {TIMEOUT_SECONDS} s.",
            hint="Check the machine's load and its free memory.",
        ) from error
    if finished.returncode != 0:
        raise CompilerError(
            finished.stderr.decode("utf-8", "replace")
            or f"exit status {finished.returncode} without a message"
        )


def require_library(target: Target, directory: Path) -> None:
    """Raise MissingToolError unless C++ with its standard library compiles for a target."""
    probe = directory / "edgeflow_probe.cc"
    probe.write_text("#include <cmath>\n#include <cstdint>\n#include <new>\n", encoding="utf-8")
    try:
        run_gcc(CPP, [*core_flags(target), "-fsyntax-only", probe.name], directory)
    except CompilerError as error:
        raise MissingToolError(
            f"{CPP} has no C++ library for {target.name}: {error.output.strip().splitlines()[0]}",
            hint=f"{INSTALL_HINT[0].upper()}{INSTALL_HINT[1:]}.",
        ) from error
    finally:
        probe.unlink()


@cache
def version() -> str:
    """What the C++ compiler says about itself, such as "12.2.1"; "" where it is absent."""
    path = shutil.which(CPP)
    if path is None:
        return ""
    told = subprocess.run(
        [path, "-dumpfullversion"], capture_output=True, text=True, timeout=30, check=False
    )
    return told.stdout.strip()
