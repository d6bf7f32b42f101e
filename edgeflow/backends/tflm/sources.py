"""Which files of the checkouts become part of an image, and how hard the compiler tries.

The levels are those of TFLM's own release build: size for the core, speed for kernels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgeflow.backends.tflm.checkout import MICRO, Checkout
from edgeflow.backends.tflm.operators import OPERATORS
from edgeflow.errors import EngineError
from edgeflow.graph.ir import OpKind

CORE_LEVEL = "-Os"
KERNEL_LEVEL = "-O2"

_CORE_FOLDERS = (
    MICRO,
    f"{MICRO}/arena_allocator",
    f"{MICRO}/memory_planner",
    f"{MICRO}/tflite_bridge",
    "tensorflow/compiler/mlir/lite/core/api",
    "tensorflow/compiler/mlir/lite/schema",
    "tensorflow/lite/core/api",
    "tensorflow/lite/core/c",
    "tensorflow/lite/kernels",
    "tensorflow/lite/kernels/internal",
    "tensorflow/lite/kernels/internal/reference",
)
# Tests, tools of tests, and what depends on the platform and is not reached in a release build.
_NOT_CORE = ("_test.cc", "test_helper", "fake_", "mock_", "recording_", "hexdump", "debug_log.cc")
_NOT_CORE_NAMES = frozenset({"micro_time.cc", "micro_profiler.cc", "system_setup.cc"})
_FLOAT_KERNELS = ("_f16.c", "_f32.c", "_flt.c")


@dataclass(frozen=True)
class SourceFile:
    """One file of a checkout: where, its name below the checkout, and its optimization level."""

    root: Path
    name: str
    level: str

    @property
    def is_cpp(self) -> bool:
        """Whether it is C++."""
        return self.name.endswith(".cc")


def source_files(checkout: Checkout, wanted: Iterable[OpKind]) -> tuple[SourceFile, ...]:
    """TFLM's core, the kernels of some operators, and CMSIS-NN without its float kernels.

    Raises EngineError where the checkout has no kernel of an operator.
    """
    return (
        *(SourceFile(checkout.tflm, name, CORE_LEVEL) for name in _core(checkout.tflm)),
        *(SourceFile(checkout.tflm, name, KERNEL_LEVEL) for name in _kernels(checkout, wanted)),
        *(SourceFile(checkout.cmsis_nn, name, KERNEL_LEVEL) for name in _cmsis(checkout.cmsis_nn)),
    )


def _core(tflm: Path) -> list[str]:
    paths = [path for folder in _CORE_FOLDERS for path in sorted((tflm / folder).glob("*.cc"))]
    return [
        path.relative_to(tflm).as_posix()
        for path in paths
        if path.name not in _NOT_CORE_NAMES and not any(part in path.name for part in _NOT_CORE)
    ]


def _kernels(checkout: Checkout, wanted: Iterable[OpKind]) -> list[str]:
    """Every operator's kernel, CMSIS-NN's where there is one, with what is common to both."""
    folder = checkout.tflm / MICRO / "kernels"
    stems = sorted({OPERATORS[kind].stem for kind in wanted})
    found = [folder / "kernel_util.cc"]
    for stem in stems:
        places = (folder / "cmsis_nn" / f"{stem}.cc", folder / f"{stem}.cc")
        path = next((p for p in places if p.is_file()), None)
        if path is None:
            raise EngineError(
                f"the checkout of TFLM has no kernel {stem}.cc in {MICRO}/kernels",
                hint="bring a version that has it",
            )
        common = folder / f"{stem}_common.cc"
        found += [path, *([common] if common.is_file() else [])]
    return [path.relative_to(checkout.tflm).as_posix() for path in found]


def _cmsis(cmsis_nn: Path) -> list[str]:
    return [
        path.relative_to(cmsis_nn).as_posix()
        for path in sorted((cmsis_nn / "Source").rglob("*.c"))
        if not path.name.endswith(_FLOAT_KERNELS)
    ]
