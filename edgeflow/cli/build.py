"""`edgeflow build`: options to a configuration, a result to a table or a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.cli.outcome import answer_stream, error_document, print_document, tell_error
from edgeflow.cli.progress import drawn_progress
from edgeflow.cli.tables import print_rows, summary_document, summary_rows
from edgeflow.errors import ConfigError, ExitCode, VerdictError

if TYPE_CHECKING:
    from edgeflow.bundle.summary import Summary
    from edgeflow.pipeline.build import BuildResult
    from edgeflow.pipeline.config import Config


@dataclass(frozen=True)
class EngineRequest:
    """The options of the engine as given; None where one was left out."""

    name: str | None = None
    tflm_path: str | None = None
    cmsis_nn_path: str | None = None
    tflm_include: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildRequest:
    """The options as given; None (no targets) where an option was left out."""

    targets: tuple[str, ...]
    data: str | None
    model: str | None
    config: Path | None
    run_dir: Path | None
    budgets: tuple[str, ...]
    seed: int | None
    engine: EngineRequest = EngineRequest()
    grow: bool = False
    search: bool = False
    device: str | None = None
    style: str | None = None
    lanes: str | None = None


def run_build(request: BuildRequest, as_json: bool) -> int:
    """Build and show what came out; a negative verdict is exit code 1.

    With several targets the first exit code that is not 0 is the command's.
    """
    from edgeflow.pipeline.build import run_plans
    from edgeflow.pipeline.plan import make_plan

    plans = [make_plan(config) for config in _resolve(request)]
    run_dirs = _run_dirs(request, [plan.target.name for plan in plans])
    documents: list[dict[str, Any]] = []
    refusals: list[VerdictError] = []
    with drawn_progress() as progress:
        for result in run_plans(plans, run_dirs, progress):
            summary = _read_summary(result)
            documents.append(_document(result, summary))
            if not as_json:
                _print_result(result, summary)
            if result.refusal is not None:
                refusals.append(result.refusal)
    if as_json:
        print_document(documents[0] if len(documents) == 1 else {"builds": documents})
    for refusal in refusals:
        tell_error(refusal.exit_code, refusal.message, refusal.hint, as_json=False)
    return int(refusals[0].exit_code if refusals else ExitCode.OK)


def show_plan(request: BuildRequest, as_json: bool) -> int:
    """Say which stages would run; nothing is written."""
    from edgeflow.pipeline.build import preview
    from edgeflow.pipeline.plan import make_plan

    plans = [make_plan(config) for config in _resolve(request)]
    run_dirs = _run_dirs(request, [plan.target.name for plan in plans])
    documents: list[dict[str, Any]] = []
    for plan, run_dir in zip(plans, run_dirs, strict=True):
        stages = preview(plan, run_dir)
        rows = [
            {"stage": s.stage, "key": s.key, "cached": s.cached, "reason": s.reason} for s in stages
        ]
        documents.append(
            {
                "dry_run": True,
                "run_dir": str(run_dir),
                "config": plan.config.model_dump(mode="json"),
                "stages": rows,
            }
        )
        if not as_json:
            with answer_stream() as stream:
                print(f"run directory {run_dir}", file=stream)
            print_rows([(s.stage, "cached" if s.cached else "run", s.reason) for s in stages])
    if as_json:
        print_document(documents[0] if len(documents) == 1 else {"builds": documents})
    return int(ExitCode.OK)


def _lanes(given: str | None) -> int | str | None:
    """A number where it is one; the configuration says what is allowed."""
    return int(given) if given is not None and given.isdecimal() else given


def _resolve(request: BuildRequest) -> list[Config]:
    """One configuration for each target."""
    from edgeflow.pipeline.budgets import parse_budgets
    from edgeflow.pipeline.config import CONFIG_FILE, resolve

    given = {
        "model": request.model,
        "seed": request.seed,
        "engine": request.engine.name,
        "tflm_path": request.engine.tflm_path,
        "cmsis_nn_path": request.engine.cmsis_nn_path,
        "tflm_include": request.engine.tflm_include or None,
        "device": request.device,
        "style": request.style,
        "lanes": _lanes(request.lanes),
    }
    overrides: dict[str, dict[str, Any]] = {
        "build": {name: value for name, value in given.items() if value is not None},
        "data": {} if request.data is None else {"source": request.data},
        "budget": parse_budgets(request.budgets),
        "grow": {"enabled": True} if request.grow else {},
        "search": {"enabled": True} if request.search else {},
    }
    path = request.config
    if path is None and Path(CONFIG_FILE).is_file():
        path = Path(CONFIG_FILE)
    configs = []
    for target in request.targets or (None,):
        chosen = {} if target is None else {"target": target}
        sections = {**overrides, "build": {**overrides["build"], **chosen}}
        configs.append(resolve(path, {name: values for name, values in sections.items() if values}))
    return configs


def _run_dirs(request: BuildRequest, targets: Sequence[str]) -> list[Path]:
    """One for each target: below --run-dir if there are several."""
    if len(set(targets)) < len(targets):
        raise ConfigError(
            f"a target is named twice: {', '.join(targets)}", hint="name every target once"
        )
    if request.run_dir is not None and len(targets) == 1:
        return [request.run_dir]
    parent = Path("runs") if request.run_dir is None else request.run_dir
    return [parent / target for target in targets]


def _read_summary(result: BuildResult) -> Summary:
    from edgeflow.cli.artifacts import read_summary

    return read_summary(result.run_dir)


def _document(result: BuildResult, summary: Summary) -> dict[str, Any]:
    refusal = result.refusal
    document: dict[str, Any] = {
        "run_dir": str(result.run_dir),
        "stages": [
            {
                "stage": s.stage,
                "key": s.key,
                "cached": s.cached,
                "seconds": {"value": round(s.seconds, 3), "unit": "seconds", "kind": "measured"},
            }
            for s in result.stages
        ],
        "report": str(result.report),
        "bundle": None if result.bundle is None else str(result.bundle),
        **summary_document(summary),
    }
    if refusal is not None:
        document["error"] = error_document(refusal.exit_code, refusal.message, refusal.hint)
    return document


def _print_result(result: BuildResult, summary: Summary) -> None:
    rows = summary_rows(summary)
    rows.append(("report", str(result.report), ""))
    if result.bundle is not None:
        rows.append(("bundle", str(result.bundle), ""))
    print_rows(rows)
