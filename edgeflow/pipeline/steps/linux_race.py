"""Stage race: every engine that the target may use, verified and measured beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.engine import SYSTEM_ENGINES, Engine
from edgeflow.backends.gpu.program import GpuProgram
from edgeflow.backends.native.program import NativeProgram
from edgeflow.backends.runtimes.program import Precision, RuntimeProgram
from edgeflow.bundle.race_rows import RaceOutcome, RaceRow
from edgeflow.data.score import Score
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.linux_runner import LinuxProgram, LinuxRunner
from edgeflow.devices.timing import Timing
from edgeflow.errors import DeviceError, EdgeflowError, MissingToolError
from edgeflow.figures import FigureKind
from edgeflow.gate.agreement import Agreement, agreement, objection
from edgeflow.gate.scoring import Scoring, score_answers
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import (
    MODEL,
    read_arrays,
    read_document,
    write_arrays,
    write_document,
)
from edgeflow.pipeline.steps.gate import read_scoring
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.linux_compile import read_compiled
from edgeflow.pipeline.steps.linux_run import read_timing
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run
from edgeflow.progress import ProgressEvent
from edgeflow.targets.schema import Target

RACE = "race.json"
CHOSEN = "chosen"
GPU = "gpu"
_LIMITS = RunLimits()
_NO_BOARD = "no board at hand, and its emulator has no such engine"


@dataclass(frozen=True, eq=False)
class _Entrant:
    """A program that ran over every test input, or the reason (`refused`) why it did not."""

    engine: Engine
    precision: Precision
    program: LinuxProgram | None
    size_bytes: int | None = None
    memory_bytes: int | None = None
    version: str = ""
    answers: NDArray[np.int8] | None = None
    compared: Agreement | None = None
    score: Score | None = None
    refused: str = ""

    @property
    def correct(self) -> bool:
        """Whether its answers are near enough to be measured."""
        return self.program is not None and not self.refused


def run(context: StageContext) -> None:
    """Write a row for each, and files and answers of the fastest correct one if it is not ours."""
    from edgeflow.devices.linux_runner import runner_for

    plan = context.plan
    runner, only = runner_for(plan.target, plan.config.build.device), plan.config.build.engine
    answers = read_arrays(context.inputs["run"] / ANSWERS)
    scoring, graph = read_scoring(context, answers["inputs"]), read_graph(context.find(MODEL))
    entrants = [] if only in SYSTEM_ENGINES else [_ours(context, answers, scoring)]
    for engine, precision in _wanted(only):
        if runner.scripts is None:
            entrants.append(_Entrant(engine, precision, None, refused=_NO_BOARD))
            continue
        context.progress(ProgressEvent("race", f"{engine} {precision}, all test images"))
        entrants.append(_entrant(graph, (engine, precision), plan.target, runner, answers, scoring))
    able = _able(entrants)
    timings = _measured(context, runner, able, answers["inputs"])
    chosen = min(able, key=lambda each: timings[each].median_seconds) if timings else able[0]
    rows = [_row(each, timings.get(each), chosen) for each in entrants]
    if not timings:
        rows = [_estimated(row, graph, plan.target) for row in rows]
    rows += _gpu_rows(context, graph, runner)
    document = {"chosen": entrants.index(chosen), "rows": [r.model_dump(mode="json") for r in rows]}
    write_document(context.output / RACE, document)
    if isinstance(chosen.program, RuntimeProgram):
        _write_chosen(context.output, chosen, chosen.program)


def _write_chosen(output: Path, chosen: _Entrant, program: RuntimeProgram) -> None:
    assert chosen.answers is not None
    write_arrays(output / ANSWERS, {"device": chosen.answers})
    folder = output / CHOSEN
    folder.mkdir()
    for name, content in runtime_files(program).items():
        (folder / name).write_bytes(content)


def _able(entrants: Sequence[_Entrant]) -> list[_Entrant]:
    """Those that take part: the correct ones, or where none is, the first that ran.

    The gate refuses that one, with its reasons. Raises MissingToolError where none ran.
    """
    able = [each for each in entrants if each.correct]
    ran = [each for each in entrants if each.program is not None]
    if not ran:
        reasons = [f"{each.engine} {each.precision}: {each.refused}" for each in entrants]
        raise MissingToolError(
            f"no engine ran: {'; '.join(reasons)}",
            hint="Install the engine on the device, or leave it out of the configuration.",
        )
    return able or ran[:1]


def runtime_files(program: RuntimeProgram) -> dict[str, bytes]:
    """All files of a program by name."""
    from edgeflow.backends.runtimes.forms import SCRIPT

    return {SCRIPT: program.runner, **program.companions}


def read_race(folder: Path) -> tuple[RaceRow, ...]:
    """The rows that the stage wrote."""
    return tuple(RaceRow.model_validate(row) for row in read_document(folder / RACE)["rows"])


def read_chosen_row(folder: Path) -> RaceRow:
    """The row of the artifact."""
    chosen: int = read_document(folder / RACE)["chosen"]
    return read_race(folder)[chosen]


def read_gpu_files(folder: Path) -> dict[str, bytes]:
    """What was compiled for the target's GPU, by name; nothing where it has none."""
    folder = folder / GPU
    if not folder.is_dir():
        return {}
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read_chosen(folder: Path) -> RuntimeProgram | None:
    """The program that won; None where it is ours."""
    from edgeflow.backends.runtimes.forms import read_runtime_program

    chosen = folder / CHOSEN
    if not chosen.is_dir():
        return None
    return read_runtime_program({path.name: path.read_bytes() for path in chosen.iterdir()})


def chosen_run(found: DeviceRun, race: Path) -> DeviceRun:
    """The run of the artifact: `found` of ours, or that of the engine which won."""
    if not (race / CHOSEN).is_dir():
        return found
    nothing = np.empty(0, np.int64)
    return DeviceRun(
        outputs=read_arrays(race / ANSWERS)["device"],
        instructions=nothing,
        layers=(),
        stack_bytes=None,
        kind=found.kind,
        source=found.source,
    )


def _wanted(only: Engine | None) -> Sequence[tuple[Engine, Precision]]:
    """The forms that take part: all, or those of one engine."""
    from edgeflow.backends.runtimes.forms import FORMS

    engines = SYSTEM_ENGINES if only is None else (only,)
    return [form for form in FORMS if form[0] in engines]


def _ours(context: StageContext, answers: dict[str, NDArray[Any]], scoring: Scoring) -> _Entrant:
    found = read_device_run(context.inputs["run"])
    program = read_compiled(context.inputs["compile"])
    compared = agreement(answers["expected"], found.outputs)
    exact = compared.equal == compared.images
    return _Entrant(
        engine=Engine.EDGEFLOW,
        precision=Precision.INT8,
        program=program,
        size_bytes=len(program.runner),
        memory_bytes=program.memory_bytes,
        compared=compared,
        score=_main_score(score_answers(found.outputs, answers.get("labels"), scoring)),
        refused="" if exact else f"not bit-exact: {compared.told}",
    )


def _entrant(
    graph: Graph,
    form: tuple[Engine, Precision],
    target: Target,
    runner: LinuxRunner,
    answers: dict[str, NDArray[Any]],
    scoring: Scoring,
) -> _Entrant:
    """Build it, run it over every input, compare. What goes wrong is a row, not an error."""
    from edgeflow.backends.runtimes.forms import runtime_program

    try:
        program = runtime_program(graph, *form, target)
        about = runner.about(program, _LIMITS)
        outputs = runner.run(program, answers["inputs"], _LIMITS).outputs
    except EdgeflowError as error:
        return _Entrant(*form, None, refused=error.message)
    labels, expected = answers.get("labels"), answers["expected"]
    compared = agreement(expected, outputs)
    scores = score_answers(outputs, labels, scoring)
    return _Entrant(
        engine=form[0],
        precision=form[1],
        program=program,
        size_bytes=program.size_bytes,
        memory_bytes=about.memory_bytes,
        version=about.version,
        answers=outputs,
        compared=compared,
        score=_main_score(scores),
        refused=objection(compared, score_answers(expected, labels, scoring), scores),
    )


def _main_score(scores: tuple[Score, ...]) -> Score | None:
    return scores[0] if scores else None


def _measured(
    context: StageContext, runner: LinuxRunner, able: list[_Entrant], inputs: NDArray[np.int8]
) -> dict[_Entrant, Timing]:
    """Times in turns; none where the device tells none. Ours alone was measured before."""
    from edgeflow.devices.timing import time_programs

    if not runner.tells_time:
        return {}
    if len(able) == 1 and isinstance(able[0].program, NativeProgram):
        timing = read_timing(context.inputs["run"])
        return {} if timing is None else {able[0]: timing}
    context.progress(ProgressEvent("race", f"times of {len(able)} engines in turns"))
    programs = [each.program for each in able if each.program is not None]
    return dict(zip(able, time_programs(runner, programs, inputs), strict=True))


def _row(each: _Entrant, timing: Timing | None, chosen: _Entrant) -> RaceRow:
    told = "" if each.compared is None else each.compared.told
    if each.correct:
        outcome, detail = RaceOutcome.CHOSEN if each is chosen else RaceOutcome.SLOWER, told
    elif each.compared is not None:
        outcome, detail = RaceOutcome.WRONG, f"{each.refused}; {told}"
    else:
        outcome, detail = RaceOutcome.NOT_RUN, each.refused
    times = {} if timing is None else _times(timing)
    return RaceRow(
        engine=each.engine,
        precision=each.precision.value,
        version=each.version,
        outcome=outcome,
        detail=detail,
        score=None if each.score is None else each.score.value,
        size_bytes=each.size_bytes,
        memory_bytes=each.memory_bytes,
        **times,
    )


def _estimated(row: RaceRow, graph: Graph, target: Target) -> RaceRow:
    """The row with a time from elsewhere, where the device tells none.

    Of ours what profiles of the board say; else the least time that the precision can take.
    """
    from edgeflow.graph.constant_channels import without_constant_channels
    from edgeflow.pipeline.linux_estimate import profiled_seconds
    from edgeflow.profiles.roofline import SOURCE, least_seconds

    told: dict[str, Any] = {"kind": FigureKind.ESTIMATED}
    if row.engine is Engine.EDGEFLOW:
        profiled = profiled_seconds(without_constant_channels(graph), target)
        if profiled is not None:
            told |= {"seconds": profiled[0], "source": profiled[1]}
            return row.model_copy(update=told)
    seconds = least_seconds(graph, target, floats=row.precision != Precision.INT8)
    told |= {"seconds": seconds, "source": SOURCE, "is_bound": True}
    return row if seconds is None else row.model_copy(update=told)


def _gpu_rows(context: StageContext, graph: Graph, runner: LinuxRunner) -> list[RaceRow]:
    """Compile for the target's GPU, run it where one is at hand, and say what came of it.

    The kernels lie in the bundle beside the artifact and do not take its place.
    """
    from edgeflow.backends.gpu.project import gpu_program, project_files

    target = context.plan.target
    if target.gpu is None or context.plan.config.build.engine is not None:
        return []
    precision = Precision.FLOAT16 if target.gpu.fp16 else Precision.FLOAT32
    told: dict[str, Any] = {"engine": Engine.CUDA, "precision": precision.value}
    try:
        files = project_files(graph, target)
    except EdgeflowError as error:
        return [RaceRow(**told, outcome=RaceOutcome.NOT_RUN, detail=error.message)]
    (context.output / GPU).mkdir()
    for name, content in files.items():
        (context.output / GPU / name).write_bytes(content)
    told["size_bytes"] = sum(map(len, files.values()))
    kernels = f"kernels for {target.gpu.architecture} in PTX {target.gpu.ptx_version}"
    if not runner.tells_time:
        detail = f"{kernels}; {_NO_BOARD}"
        return [RaceRow(**told, outcome=RaceOutcome.COMPILED, detail=detail)]
    context.progress(ProgressEvent("race", f"cuda {precision}, all test images"))
    try:
        return [_gpu_row(context, gpu_program(files, graph), runner, told)]
    except DeviceError as error:
        detail = f"{kernels}; {error.message}"
        return [RaceRow(**told, outcome=RaceOutcome.COMPILED, detail=detail)]


def _gpu_row(
    context: StageContext, program: GpuProgram, runner: LinuxRunner, told: dict[str, Any]
) -> RaceRow:
    """Answers and times of the GPU. Raises DeviceFaultError where there is none."""
    from edgeflow.devices.timing import time_program

    answers = read_arrays(context.inputs["run"] / ANSWERS)
    scoring, labels = read_scoring(context, answers["inputs"]), answers.get("labels")
    outputs = runner.run(program, answers["inputs"], _LIMITS).outputs
    compared = agreement(answers["expected"], outputs)
    scores = score_answers(outputs, labels, scoring)
    refused = objection(compared, score_answers(answers["expected"], labels, scoring), scores)
    score = _main_score(scores)
    counted = {"score": None if score is None else score.value, **told}
    if refused:
        detail = f"{refused}; {compared.told}"
        return RaceRow(**counted, outcome=RaceOutcome.WRONG, detail=detail)
    times = _times(time_program(runner, program, answers["inputs"]))
    return RaceRow(**counted, **times, outcome=RaceOutcome.BESIDE, detail=compared.told)


def _times(timing: Timing) -> dict[str, Any]:
    return {
        "seconds": timing.median_seconds,
        "p95_seconds": timing.p95_seconds,
        "half_width": timing.half_width,
        "rounds": timing.rounds,
        "inferences": timing.inferences,
        "source": timing.source,
    }
