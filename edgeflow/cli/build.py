"""`edgeflow build`: options to a configuration, a result to a table or a document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.cli.outcome import answer_stream, error_document, print_document, tell_error
from edgeflow.cli.progress import drawn_progress
from edgeflow.cli.tables import print_rows, summary_document, summary_rows
from edgeflow.errors import ExitCode

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
    """The options as given; None where an option was left out."""

    target: str | None
    data: str | None
    model: str | None
    config: Path | None
    run_dir: Path | None
    budgets: tuple[str, ...]
    seed: int | None
    engine: EngineRequest = EngineRequest()
    grow: bool = False


def run_build(request: BuildRequest, as_json: bool) -> int:
    """Build and show what came out; a negative verdict is exit code 1."""
    from edgeflow.pipeline.build import run_plan
    from edgeflow.pipeline.plan import make_plan

    config = _resolve(request)
    plan = make_plan(config)
    run_dir = _run_dir(request, plan.target.name)
    with drawn_progress() as progress:
        result = run_plan(plan, run_dir, progress)
    summary = _read_summary(result)
    if as_json:
        print_document(_document(result, summary))
    else:
        _print_result(result, summary)
    if result.refusal is None:
        return int(ExitCode.OK)
    refusal = result.refusal
    tell_error(refusal.exit_code, refusal.message, refusal.hint, as_json=False)
    return int(refusal.exit_code)


def show_plan(request: BuildRequest, as_json: bool) -> int:
    """Say which stages would run; nothing is written."""
    from edgeflow.pipeline.build import preview
    from edgeflow.pipeline.plan import make_plan

    plan = make_plan(_resolve(request))
    run_dir = _run_dir(request, plan.target.name)
    stages = preview(plan, run_dir)
    if as_json:
        rows = [
            {"stage": s.stage, "key": s.key, "cached": s.cached, "reason": s.reason} for s in stages
        ]
        print_document(
            {
                "dry_run": True,
                "run_dir": str(run_dir),
                "config": plan.config.model_dump(mode="json"),
                "stages": rows,
            }
        )
    else:
        with answer_stream() as stream:
            print(f"run directory {run_dir}", file=stream)
        print_rows([(s.stage, "cached" if s.cached else "run", s.reason) for s in stages])
    return int(ExitCode.OK)


def _resolve(request: BuildRequest) -> Config:
    from edgeflow.pipeline.budgets import parse_budgets
    from edgeflow.pipeline.config import CONFIG_FILE, resolve

    given = {
        "target": request.target,
        "model": request.model,
        "seed": request.seed,
        "engine": request.engine.name,
        "tflm_path": request.engine.tflm_path,
        "cmsis_nn_path": request.engine.cmsis_nn_path,
        "tflm_include": request.engine.tflm_include or None,
    }
    overrides: dict[str, dict[str, Any]] = {
        "build": {name: value for name, value in given.items() if value is not None},
        "data": {} if request.data is None else {"source": request.data},
        "budget": parse_budgets(request.budgets),
        "grow": {"enabled": True} if request.grow else {},
    }
    path = request.config
    if path is None and Path(CONFIG_FILE).is_file():
        path = Path(CONFIG_FILE)
    return resolve(path, {name: values for name, values in overrides.items() if values})


def _run_dir(request: BuildRequest, target: str) -> Path:
    return request.run_dir if request.run_dir is not None else Path("runs") / target


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
