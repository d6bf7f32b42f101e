"""A user's checkouts of TensorFlow Lite Micro and CMSIS-NN, and the headers that they need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeflow.errors import EngineError

MICRO = "tensorflow/lite/micro"
_DOWNLOADS = f"{MICRO}/tools/make/downloads"
_SUFFIXES = (".c", ".cc", ".h", ".hpp")
_TFLM_FOLDERS = ("tensorflow/compiler/mlir/lite", "tensorflow/lite", "signal")
_LEFT_OUT = frozenset({"downloads", "examples", "testing", "tools", "experimental", "gen"})


@dataclass(frozen=True)
class _Headers:
    """A project whose headers are needed: one of them, and where TFLM's scripts put them."""

    project: str
    header: str
    download: str


_NEEDED = (
    _Headers("FlatBuffers", "flatbuffers/flatbuffers.h", "flatbuffers/include"),
    _Headers("gemmlowp", "fixedpoint/fixedpoint.h", "gemmlowp"),
    _Headers("ruy", "ruy/profiler/instrumentation.h", "ruy"),
    _Headers("CMSIS core", "cmsis_compiler.h", "cmsis/CMSIS/Core/Include"),
)


@dataclass(frozen=True)
class Checkout:
    """Folders of a user: both projects, and the headers of others in the order of the search."""

    tflm: Path
    cmsis_nn: Path
    headers: tuple[Path, ...]

    @property
    def includes(self) -> tuple[Path, ...]:
        """Every folder for the compiler's search, first the projects' own."""
        return (self.tflm, *self.headers, self.cmsis_nn, self.cmsis_nn / "Include")


def find_checkout(tflm: Path, cmsis_nn: Path, headers: Sequence[Path] = ()) -> Checkout:
    """The checkouts below two folders, with `headers` searched before TFLM's own downloads.

    Raises EngineError naming the file that is missing, and where it was looked for.
    """
    tflm, cmsis_nn = tflm.expanduser().resolve(), cmsis_nn.expanduser().resolve()
    given = [path.expanduser().resolve() for path in headers]
    _require(tflm, f"{MICRO}/micro_interpreter.h", "TensorFlow Lite Micro", "--tflm-path")
    _require(cmsis_nn, "Include/arm_nnfunctions.h", "CMSIS-NN", "--cmsis-nn-path")
    for folder in given:
        if not folder.is_dir():
            raise EngineError(
                f"there is no folder {str(folder)!r}", hint="check the path after --tflm-include"
            )
    downloads = tflm / _DOWNLOADS
    found = dict.fromkeys(given)
    for needed in _NEEDED:
        places = [*given, downloads / needed.download]
        place = next((p for p in places if (p / needed.header).is_file()), None)
        if place is None:
            raise EngineError(
                f"the header {needed.header} of {needed.project} is in none of: "
                + ", ".join(map(str, places)),
                hint=f"run the download of TFLM's Makefile (make -f {MICRO}/tools/make/Makefile "
                "third_party_downloads), or name the folder with --tflm-include",
            )
        found[place] = None
    return Checkout(tflm, cmsis_nn, tuple(found))


def digest(checkout: Checkout) -> str:
    """The sha256 over the sources and headers that a build may read."""
    total = hashlib.sha256()
    for root, files in _roots(checkout):
        for path in files:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def _roots(checkout: Checkout) -> Iterable[tuple[Path, list[Path]]]:
    for name in _TFLM_FOLDERS:
        yield checkout.tflm, _source_files(checkout.tflm / name)
    for name in ("Include", "Source"):
        yield checkout.cmsis_nn, _source_files(checkout.cmsis_nn / name)
    for folder in checkout.headers:
        heads = (h.header.split("/")[0] for h in _NEEDED if (folder / h.header).is_file())
        yield folder, [path for head in heads for path in _source_files(folder / head)]


def _source_files(place: Path) -> list[Path]:
    """Sources and headers below a folder without those that no build reads; or the one file."""
    if place.is_file():
        return _source_files_of(place.parent.glob("*.h"))
    found = []
    for path in place.rglob("*"):
        if not _LEFT_OUT.intersection(path.relative_to(place).parts):
            found.append(path)
    return _source_files_of(found)


def _source_files_of(paths: Iterable[Path]) -> list[Path]:
    return sorted(p for p in paths if p.suffix in _SUFFIXES and p.is_file())


def _require(folder: Path, name: str, project: str, option: str) -> None:
    if not (folder / name).is_file():
        raise EngineError(
            f"{str(folder)!r} is no checkout of {project}: it has no file {name}",
            hint=f"name the top folder of a checkout with {option}",
        )
