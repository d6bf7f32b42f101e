"""A build: every stage in order, from the cache or made new, under the lock of its directory."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeflow.errors import StorageError, VerdictError
from edgeflow.pipeline import lock, storage, store
from edgeflow.pipeline.config import RESOLVED_FILE, Config, to_toml
from edgeflow.pipeline.plan import Plan, make_plan
from edgeflow.pipeline.stage import Stage, StageContext, stage_key
from edgeflow.pipeline.store import Absent, Damaged, Entry, Outdated
from edgeflow.progress import Progress, ProgressEvent, silent

STAGES = "stages"
UNFINISHED = "unfinished"
EVENTS = "events.jsonl"
BUNDLE = "bundle"
REPORT = "report.html"
# Outputs that the run directory shows at its top, by stage: the files or folders of those names.
PUBLISHED: Mapping[str, tuple[str, ...]] = {"report": (REPORT, "figures.json"), "bundle": (BUNDLE,)}


@dataclass(frozen=True)
class StageResult:
    """How one stage went; `seconds` is wall time, the check of the cache included."""

    stage: str
    key: str
    cached: bool
    seconds: float


@dataclass(frozen=True)
class BuildResult:
    """A build's outcome. `refusal` is set, and `bundle` None, after a negative verdict."""

    run_dir: Path
    stages: tuple[StageResult, ...]
    outputs: Mapping[str, Path]
    report: Path | None
    bundle: Path | None
    refusal: VerdictError | None


@dataclass(frozen=True)
class StagePreview:
    """What a build would do with a stage, and why."""

    stage: str
    key: str
    cached: bool
    reason: str


def build(config: Config, run_dir: Path, progress: Progress = silent) -> BuildResult:
    """Build `config` in `run_dir`; finished stages of an earlier build are used after a check.

    A negative verdict is a result, not an exception. Raises EdgeflowError; BusyError when another
    build holds the directory, StorageError when it cannot be written.
    """
    return run_plan(make_plan(config), run_dir, progress)


def run_plans(
    plans: Sequence[Plan], run_dirs: Sequence[Path], progress: Progress = silent
) -> Iterator[BuildResult]:
    """Run plans one after another; stages that two have alike run once. Errors as `run_plan`."""
    for number, (plan, run_dir) in enumerate(zip(plans, run_dirs, strict=True)):
        yield run_plan(plan, run_dir, progress, run_dirs[:number])


def run_plan(
    plan: Plan, run_dir: Path, progress: Progress = silent, others: Sequence[Path] = ()
) -> BuildResult:
    """Run the stages of a plan. Nothing is written before the lock is held.

    What `run_dir` lacks is taken from the run directories `others` where they have it.
    """
    with storage.storage_errors(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
    with lock.hold(run_dir), storage.storage_errors(run_dir), _events(run_dir, progress) as tell:
        stages = run_dir / STAGES
        _clean(run_dir, stages, tell)
        storage.write_file(run_dir / RESOLVED_FILE, to_toml(plan.config).encode())
        entries: dict[str, Entry] = {}
        results: list[StageResult] = []
        refusal: VerdictError | None = None
        try:
            for stage in plan.stages:
                _adopt(stage, plan, run_dir, entries, others)
                results.append(_run_stage(stage, plan, run_dir, entries, tell))
                for name in PUBLISHED.get(stage.name, ()):
                    _publish(entries[stage.name].path / name, run_dir)
        except VerdictError as error:
            refusal = error
        store.prune(stages, {name: entry.key for name, entry in entries.items()})
    return BuildResult(
        run_dir=run_dir,
        stages=tuple(results),
        outputs={name: entry.path for name, entry in entries.items()},
        report=run_dir / REPORT if "report" in entries else None,
        bundle=run_dir / BUNDLE if "bundle" in entries else None,
        refusal=refusal,
    )


def preview(plan: Plan, run_dir: Path) -> tuple[StagePreview, ...]:
    """What `run_plan` would do; reads the cache and touches nothing."""
    entries: dict[str, Entry] = {}
    keys: dict[str, str] = {}
    previews = []
    for stage in plan.stages:
        keys[stage.name] = key = stage_key(stage, plan, keys)
        waits_for = [name for name in stage.reads if name not in entries]
        if waits_for:
            reason = f"after {', '.join(waits_for)}"
        else:
            reads = {name: entries[name].digest for name in stage.reads}
            found = store.look_up(run_dir / STAGES, stage.name, key, reads)
            if isinstance(found, Entry):
                entries[stage.name] = found
                reason = "nothing it depends on has changed"
            elif isinstance(found, Absent):
                reason = "not built yet with these inputs"
            else:
                reason = found.reason
        previews.append(StagePreview(stage.name, key, stage.name in entries, reason))
    return tuple(previews)


def _adopt(
    stage: Stage, plan: Plan, run_dir: Path, entries: Mapping[str, Entry], others: Sequence[Path]
) -> None:
    """Take a stage's outputs from another run directory, where this one lacks them."""
    key = stage_key(stage, plan, {name: entry.key for name, entry in entries.items()})
    reads = {name: entries[name].digest for name in stage.reads}
    if not others or not isinstance(
        store.look_up(run_dir / STAGES, stage.name, key, reads), Absent
    ):
        return
    for other in others:
        found = store.look_up(other / STAGES, stage.name, key, reads)
        if isinstance(found, Entry):
            store.adopt(found, run_dir / STAGES)
            return


def _run_stage(
    stage: Stage, plan: Plan, run_dir: Path, entries: dict[str, Entry], tell: Progress
) -> StageResult:
    start = time.monotonic()
    stages = run_dir / STAGES
    key = stage_key(stage, plan, {name: entry.key for name, entry in entries.items()})
    reads = {name: entries[name].digest for name in stage.reads}
    found = store.look_up(stages, stage.name, key, reads)
    if isinstance(found, Damaged | Outdated):
        what = "damaged" if isinstance(found, Damaged) else "out of date"
        tell(ProgressEvent(stage.name, f"the cached result is {what}: {found.reason}; rebuilding"))
        store.discard(found.path)
    cached = isinstance(found, Entry)
    if isinstance(found, Entry):
        entries[stage.name] = found
        store.mark_used(found)
    else:
        tell(ProgressEvent(stage.name, "started"))
        _withdraw_results(stage, plan, run_dir)
        inputs = {name: entries[name].path for name in stage.reads}

        unfinished = store.unfinished_path(run_dir / UNFINISHED, stage.name, key)

        def write_outputs(output: Path) -> None:
            stage.run(StageContext(plan, inputs, output, tell, unfinished))

        entries[stage.name] = store.produce(stages, stage.name, key, reads, write_outputs)
    store.discard_unfinished(run_dir / UNFINISHED, stage.name)
    seconds = time.monotonic() - start
    tell(
        ProgressEvent(
            stage.name, "cached" if cached else "done", 1, 1, {"seconds": round(seconds, 3)}
        )
    )
    return StageResult(stage.name, key, cached, seconds)


@contextmanager
def _events(run_dir: Path, progress: Progress) -> Iterator[Progress]:
    """Tell `progress` and write every event into the run directory, one JSON object a line."""
    with (run_dir / EVENTS).open("w", encoding="utf-8") as stream:

        def tell(event: ProgressEvent) -> None:
            row = {
                "stage": event.stage,
                "message": event.message,
                "done": event.done,
                "total": event.total,
                "values": {name: _finite(value) for name, value in event.values.items()},
            }
            stream.write(json.dumps(row, sort_keys=True) + "\n")
            stream.flush()
            progress(event)

        yield tell


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if abs(value) < float("inf") else None


def _clean(run_dir: Path, stages: Path, tell: Progress) -> None:
    removed = storage.remove_leftovers(run_dir) + store.remove_unfinished(stages)
    if removed:
        tell(ProgressEvent("build", f"removed {removed} unfinished result(s) of an earlier build"))


def _publish(source: Path, run_dir: Path) -> None:
    """Copy what a stage made to the top of the run directory, unless it already stands there."""
    shown = run_dir / source.name
    if source.is_file():
        content = source.read_bytes()
        if not shown.is_file() or shown.read_bytes() != content:
            storage.write_file(shown, content)
        return
    if shown.is_dir() and _same_files(source, shown):
        return
    partial = storage.make_partial_folder(run_dir)
    fresh = partial / source.name
    shutil.copytree(source, fresh)
    storage.sync_tree(fresh)
    _withdraw_bundle(run_dir)
    fresh.rename(shown)
    storage.sync_folder(run_dir)
    partial.rmdir()


def _withdraw_results(stage: Stage, plan: Plan, run_dir: Path) -> None:
    """Remove what the run directory shows of `stage` and of the stages after it.

    A stage that has to run makes it the result of other inputs; whatever ends this build, nothing
    may stand there as if it were the result of these.
    """
    for later in plan.stages[plan.stages.index(stage) :]:
        for name in PUBLISHED.get(later.name, ()):
            if name == BUNDLE:
                _withdraw_bundle(run_dir)
            else:
                (run_dir / name).unlink(missing_ok=True)


def _withdraw_bundle(run_dir: Path) -> None:
    """Remove the bundle of an earlier build; refuses to remove what is no bundle."""
    shown = run_dir / BUNDLE
    if not os.path.lexists(shown):
        return
    if shown.is_symlink() or not (shown / store.MANIFEST).is_file():
        raise StorageError(
            f"{shown} is in the way and is no bundle of edgeflow",
            hint="move it away or choose another --run-dir",
        )
    storage.remove_folder(shown)


def _same_files(one: Path, other: Path) -> bool:
    try:
        return store.hash_all_files(one) == store.hash_all_files(other)
    except (store.DamageError, OSError):
        return False
