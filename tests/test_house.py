"""The house's rules that a machine can check: import direction, and what makes a stage's key."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

import edgeflow
from edgeflow.pipeline.search_stages import SEARCHED_STAGES
from edgeflow.pipeline.stage import Stage, source_files
from edgeflow.pipeline.stages import GROW, INTEGER_STAGES, STAGES, for_family
from edgeflow.targets.schema import TargetFamily

PACKAGE = Path(edgeflow.__file__).parent

# From top to bottom; a room imports only what stands below it.
ORDER = (
    "__main__",
    "cli",
    "pipeline",
    "report",
    "bundle",
    "gate",
    "devices",
    "backends",
    "search",
    "lower",
    "grow",
    "quantize",
    "train",
    "nets",
    "exchange",
    "data",
    "profiles",
    "targets",
    "graph",
    "figures",
    "progress",
    "errors",
)
# Words without behaviour that cannot change what a stage computes.
NEUTRAL = ("edgeflow", "edgeflow.errors", "edgeflow.progress")


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module: str) -> set[str]:
    """Modules of edgeflow that a module imports anywhere, in functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in names]
        else:
            continue
        found |= {name for name in names if name.split(".")[0] == "edgeflow"}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_rooms_below_its_own(module: str) -> None:
    own = room(module)
    if own == "":
        return
    assert own in ORDER, f"room {own} has no place in the house"
    for name in imports(module):
        other = room(name)
        if other not in ("", own):
            assert ORDER.index(own) < ORDER.index(other), f"{module} imports {name}"


def reached(stage: Stage) -> set[str]:
    """Modules that a stage's function can come to run, by following imports within the rooms."""
    engine = ("edgeflow.pipeline.stage", "edgeflow.pipeline.plan", "edgeflow.pipeline.storage")
    waiting, found = [stage.run.__module__], set()
    while waiting:
        module = waiting.pop()
        if module in found or module in engine or module in NEUTRAL:
            continue
        found.add(module)
        waiting += imports(module)
    return found


@pytest.mark.parametrize(
    "stage",
    [
        *{s.name: s for s in (*STAGES, *INTEGER_STAGES)}.values(),
        GROW,
        *SEARCHED_STAGES[2:7],
        *for_family(STAGES, TargetFamily.LINUX)[4:],
    ],
    ids=lambda s: s.run.__module__.rpartition(".")[2],
)
def test_everything_that_a_stage_can_run_belongs_to_its_key(stage: Stage) -> None:
    named = (stage.run.__module__, *stage.modules)
    covered = {path for name in named for path in source_files(name)}
    missing = sorted(name for name in reached(stage) if MODULES[name] not in covered)
    assert missing == []


def imports_at_import_time(module: str) -> set[str]:
    """Modules of edgeflow that importing a module imports: none in functions, none for types."""
    found = set()
    for node in ast.parse(MODULES[module].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else node.module for name in names}
    return found & MODULES.keys()


def test_no_module_needs_itself_to_be_imported() -> None:
    try:
        graphlib.TopologicalSorter({m: imports_at_import_time(m) for m in MODULES}).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"import circle: {' -> '.join(error.args[1])}")
