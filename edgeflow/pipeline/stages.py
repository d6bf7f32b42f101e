"""The stages of a build, in order: one tuple for each kind of model that a user brings."""

from __future__ import annotations

from collections.abc import Mapping

from edgeflow.pipeline.brought import ModelKind
from edgeflow.pipeline.stage import Stage
from edgeflow.pipeline.steps import (
    bundle,
    compile,  # noqa: A004 (the stage's name; the builtin is not used here)
    data,
    gate,
    generate,
    import_integer,
    quantize,
    report,
    run,
    train,
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
    modules=("edgeflow.data", "edgeflow.nets", "edgeflow.train", "edgeflow.pipeline.steps"),
    packages=("numpy", "torch", "safetensors"),
)

QUANTIZE = Stage(
    name="quantize",
    run=quantize.run,
    reads=("data", "train"),
    options=("model", "seed", "quantize"),
    modules=(
        *TRAIN.modules,
        "edgeflow.exchange",
        "edgeflow.graph",
        "edgeflow.lower",
        "edgeflow.quantize",
    ),
    packages=("nncf", "numpy", "torch", "safetensors"),
)

IMPORT = Stage(
    name="import",
    run=import_integer.run,
    reads=("data",),
    options=("model",),
    modules=("edgeflow.data", "edgeflow.exchange", "edgeflow.graph", "edgeflow.pipeline.steps"),
    packages=("numpy", "onnx", "tflite"),
)


def _to_bundle(model: str, found: tuple[str, ...]) -> tuple[Stage, ...]:
    """The stages behind the integer model that stage `model` writes.

    `found` are the stages before whose findings the report shows.
    """
    rooms = (
        "edgeflow.backends",
        "edgeflow.bundle",
        "edgeflow.data",
        "edgeflow.devices",
        "edgeflow.exchange",
        "edgeflow.gate",
        "edgeflow.graph",
        "edgeflow.pipeline.steps",
        "edgeflow.targets",
    )
    return (
        Stage(
            name="generate",
            run=generate.run,
            reads=(model,),
            options=("target",),
            modules=("edgeflow.backends", "edgeflow.exchange", "edgeflow.graph"),
            packages=("jinja2", "numpy", "tflite"),
        ),
        Stage(
            name="compile",
            run=compile.run,
            reads=("generate",),
            options=("target",),
            modules=("edgeflow.backends", "edgeflow.bundle.assemble"),
            packages=("jinja2", "ziglang"),
        ),
        Stage(
            name="run",
            run=run.run,
            reads=("data", model, "compile"),
            options=("target",),
            modules=rooms,
            packages=("numpy", "unicorn"),
        ),
        Stage(
            name="gate",
            run=gate.run,
            reads=("compile", "run"),
            options=("budget",),
            modules=("edgeflow.gate", "edgeflow.backends", "edgeflow.devices"),
            packages=("numpy",),
        ),
        Stage(
            name="report",
            run=report.run,
            reads=(*found, "generate", "compile", "run", "gate"),
            options=("model", "target"),
            modules=(*rooms, "edgeflow.report"),
            packages=("jinja2", "matplotlib", "numpy"),
        ),
        Stage(
            name="bundle",
            run=bundle.run,
            reads=("data", model, "compile", "run", "gate", "report"),
            options=("config", "target"),
            modules=rooms,
            packages=("jinja2", "numpy", "onnx"),
        ),
    )


STAGES = (DATA, TRAIN, QUANTIZE, *_to_bundle("quantize", ("data", "train", "quantize")))
INTEGER_STAGES = (DATA, IMPORT, *_to_bundle("import", ("data", "import")))

STAGES_BY_MODEL: Mapping[ModelKind, tuple[Stage, ...]] = {
    ModelKind.REFERENCE: STAGES,
    ModelKind.PYTHON: STAGES,
    ModelKind.INTEGER_FILE: INTEGER_STAGES,
}
