"""Teachers and pruning in a plan: what can be had, and the stages for it."""

from __future__ import annotations

from pathlib import Path

from edgeflow.data.task import Task
from edgeflow.errors import ConfigError
from edgeflow.pipeline.brought import ModelKind, kind_of_model, model_digest
from edgeflow.pipeline.config import Config
from edgeflow.pipeline.stage import Stage
from edgeflow.train.distill_options import DistillMethod, DistillOptions
from edgeflow.train.prune_options import PruneStructure

_TEACHERS = (ModelKind.REFERENCE, ModelKind.FLOAT_FILE)


def with_taught_and_pruned(
    config: Config, kind: ModelKind, task: Task | None, stages: tuple[Stage, ...]
) -> tuple[Stage, ...]:
    """The stages with a teacher and with pruning, where the configuration asks for them.

    Raises ConfigError for what cannot be done with this network or these data.
    """
    from edgeflow.pipeline.stages import with_pruning, with_teacher

    if config.prune.sparsity > 0:
        _check_pruning(config, kind)
        stages = with_pruning(stages)
    if config.distill.teacher is not None:
        _check_teacher(config.distill, kind, task)
        first = config.distill.method is not DistillMethod.ONLINE
        taught = {"train", "dense"} | ({"quantize"} if config.distill.quantization else set())
        stages = with_teacher(stages, frozenset(taught), trained_first=first)
    return stages


def teacher_digest(options: DistillOptions) -> str | None:
    """The sha256 of the teacher's file; None for a network of edgeflow, or for none."""
    return None if options.teacher is None else model_digest(options.teacher)


def portable_teacher(options: DistillOptions) -> DistillOptions:
    """The options with a teacher's file cut to its name."""
    if teacher_digest(options) is None or options.teacher is None:
        return options
    return options.model_copy(update={"teacher": Path(options.teacher).name})


def _check_pruning(config: Config, kind: ModelKind) -> None:
    if kind is ModelKind.INTEGER_FILE:
        raise ConfigError(
            f"[prune] cannot prune {config.build.model}: it is quantized already",
            hint="bring the float model, or set [prune] sparsity = 0",
        )
    if kind is not ModelKind.REFERENCE and config.prune.structure is PruneStructure.CHANNELS:
        raise ConfigError(
            f"[prune] cannot take channels out of {config.build.model}: only out of networks of "
            "edgeflow",
            hint="set [prune] structure = 'weights', or name a network of edgeflow as [build] "
            "model",
        )


def _check_teacher(options: DistillOptions, kind: ModelKind, task: Task | None) -> None:
    if kind is ModelKind.INTEGER_FILE:
        raise ConfigError(
            "[distill] teacher: an integer model is not trained",
            hint="bring the float model, or leave [distill] teacher out",
        )
    if task not in (Task.CLASSIFICATION, None):
        raise ConfigError(
            f"[distill] teacher: the task is {task}, and teachers teach classes",
            hint="leave [distill] teacher out",
        )
    if options.quantization and options.method is DistillMethod.ONLINE:
        raise ConfigError(
            "[distill] quantization: an online peer is gone when its student is quantized",
            hint="set [distill] quantization = false, or method = 'logits' or 'features'",
        )
    assert options.teacher is not None
    found = kind_of_model(options.teacher)
    if found not in _TEACHERS:
        raise ConfigError(
            f"[distill] teacher = {options.teacher!r} is a {found.value}",
            hint="name a network of edgeflow, or a float .onnx file",
        )
    if found is ModelKind.FLOAT_FILE and options.method is not DistillMethod.LOGITS:
        raise ConfigError(
            f"[distill] method = {options.method.value!r} needs a teacher of edgeflow's cells",
            hint="use method = 'logits', or name a network of edgeflow as teacher",
        )
