"""A stage as a value, and the key under which its outputs are kept."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgeflow
from edgeflow.errors import MissingToolError
from edgeflow.pipeline.storage import json_bytes
from edgeflow.progress import Progress

if TYPE_CHECKING:
    from edgeflow.pipeline.plan import Plan

KEY_DIGITS = 32
_SOURCE_ROOT = Path(edgeflow.__file__).parent


@dataclass(frozen=True)
class StageContext:
    """What a stage may see: the plan, the outputs of the stages it reads, a fresh folder.

    `unfinished` is a place for work that a killed build goes on from: it is kept from build to
    build under the stage's key until the stage is done, and is not there before the stage makes it.
    """

    plan: Plan
    inputs: Mapping[str, Path]
    output: Path
    progress: Progress
    unfinished: Path

    def find(self, name: str) -> Path:
        """The file of that name in the one input that has it."""
        found = [folder / name for folder in self.inputs.values() if (folder / name).is_file()]
        if len(found) != 1:
            raise LookupError(f"{len(found)} inputs of this stage have a file {name!r}")
        return found[0]


@dataclass(frozen=True)
class Stage:
    """One step of the line. Everything that its outputs depend on is named here.

    `reads`: stages whose outputs it loads; `options`: names that `Plan.option` answers; `modules`:
    edgeflow modules or packages whose source it runs; `packages`: distributions that it calls.
    """

    name: str
    run: Callable[[StageContext], None]
    reads: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


def stage_key(stage: Stage, plan: Plan, keys: Mapping[str, str]) -> str:
    """The key of a stage's outputs; `keys` holds those of the stages before it."""
    material: dict[str, Any] = {
        "stage": stage.name,
        "code": {name: source_digest(name) for name in (stage.run.__module__, *stage.modules)},
        "options": {name: plan.option(name) for name in stage.options},
        "packages": {name: package_version(name) for name in stage.packages},
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
        "reads": {name: keys[name] for name in stage.reads},
    }
    return hashlib.sha256(json_bytes(material)).hexdigest()[:KEY_DIGITS]


@cache
def source_digest(module: str) -> str:
    """The sha256 over the source files of an edgeflow module or package, without importing it."""
    digest = hashlib.sha256()
    for path in source_files(module):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(_SOURCE_ROOT).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def source_files(module: str) -> tuple[Path, ...]:
    """Every source file of an edgeflow module or package, templates and data files included."""
    root, *parts = module.split(".")
    if root != edgeflow.__name__:
        return ()
    path = _SOURCE_ROOT.joinpath(*parts)
    if path.is_dir():
        return tuple(
            sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
            )
        )
    source = path.with_suffix(".py")
    if not source.is_file():
        raise ValueError(f"no module {module}")
    return (source,)


@cache
def package_version(name: str) -> str:
    """The installed version of a distribution, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise MissingToolError(
            f"the package {name} is not installed",
            hint="run `edgeflow doctor`, then install what it names",
        ) from None
