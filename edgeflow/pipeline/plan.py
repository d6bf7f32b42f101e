"""The plan: configuration, target and digests of what the user brings, all resolved beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.backends.fpga.style import FpgaStyle
from edgeflow.data.options import Scaling
from edgeflow.data.task import Task
from edgeflow.errors import ConfigError
from edgeflow.gate.budget import require_countable
from edgeflow.pipeline.brought import (
    ModelKind,
    data_digest,
    integer_value_range,
    kind_of_model,
    model_digest,
    weights_digest,
)
from edgeflow.pipeline.config import FIRST_GROWN, Config
from edgeflow.pipeline.engines import engine_compiler, engine_digest, system_engines
from edgeflow.pipeline.network_cost import profile_digest, profiles_digest
from edgeflow.pipeline.stage import Stage
from edgeflow.pipeline.target_bits import weight_bits
from edgeflow.pipeline.taught import portable_teacher, teacher_digest, with_taught_and_pruned
from edgeflow.pipeline.told import require_told
from edgeflow.targets import registry
from edgeflow.targets.schema import Target


@dataclass(frozen=True)
class Plan:
    """What a build will do. Digests are None for data and networks that edgeflow itself has."""

    config: Config
    target: Target
    data_digest: str | None
    model_digest: str | None
    weights_digest: str | None
    stages: tuple[Stage, ...]
    engine_digest: str | None = None

    @property
    def model_name(self) -> str:
        """The network's name in graphs, bundles and reports."""
        return Path(self.config.build.model).stem if self.model_digest else self.config.build.model

    def option(self, name: str) -> Any:
        """The JSON value of one of the names in `OPTIONS`: what a stage's key depends on."""
        return OPTIONS[name](self)


def make_plan(config: Config) -> Plan:
    """Resolve every name of the configuration; nothing is written. Raises what cannot be found."""
    from edgeflow.data.sources import task_of
    from edgeflow.pipeline.search_stages import SEARCHED_STAGES
    from edgeflow.pipeline.stages import (
        GROWN_STAGES,
        NARROWED_STAGES,
        STAGES_BY_MODEL,
        for_family,
    )

    kind = kind_of_model(config.build.model)
    if config.grow.enabled and kind is not ModelKind.REFERENCE:
        raise ConfigError(
            f"[grow] cannot grow {config.build.model}: only networks of edgeflow grow",
            hint="leave [build] model out, or name a network of edgeflow to start from",
        )
    if config.narrow.width > 1 and kind is not ModelKind.REFERENCE:
        raise ConfigError(
            f"[narrow] cannot widen {config.build.model}: only networks of edgeflow have a twin",
            hint="set [narrow] width = 1, or name a network of edgeflow as [build] model",
        )
    if config.search.enabled and kind is not ModelKind.REFERENCE:
        raise ConfigError(
            f"[search] cannot search around {config.build.model}: only networks of edgeflow have "
            "cells that it knows",
            hint="name a network of edgeflow as [build] model",
        )
    content = data_digest(config.data.source)
    task = task_of(config.data)
    require_countable(config.budget, task)
    config = _with_value_range(_with_network_of(config, task))
    target = registry.load(config.build.target)
    _require_weight_bits(config, target)
    require_told(config, target)
    stages = STAGES_BY_MODEL[kind]
    if config.grow.enabled:
        stages = GROWN_STAGES
    if config.narrow.width > 1:
        stages = NARROWED_STAGES
    if config.search.enabled:
        stages = SEARCHED_STAGES
    stages = for_family(with_taught_and_pruned(config, kind, task, stages), target.family)
    return Plan(
        config=config,
        target=target,
        data_digest=content,
        model_digest=model_digest(config.build.model),
        weights_digest=weights_digest(config.build.weights),
        stages=stages,
        engine_digest=engine_digest(config.build.engine_options(), target),
    )


def _require_weight_bits(config: Config, target: Target) -> None:
    """Refuse a width of weights that the target does not run, before anything is trained."""
    legal = {bits for operator in target.operators for bits in operator.weight_bits}
    if kind_of_model(config.build.model) is ModelKind.INTEGER_FILE:
        return
    options = config.quantize
    wanted = {
        "weight_bits": options.weight_bits,
        "first_and_last_weight_bits": options.first_and_last_weight_bits or options.weight_bits,
        **{f"layer_weight_bits.{k}": v for k, v in (options.layer_weight_bits or {}).items()},
    }
    for name, bits in wanted.items():
        if bits not in legal:
            raise ConfigError(
                f"[quantize] {name} = {bits}: {target.name} does not run such weights",
                hint=f"weight bits there: {', '.join(map(str, sorted(legal)))}",
            )


def _with_network_of(config: Config, task: Task | None) -> Config:
    """The configuration with a network that rebuilds its input, where the task is anomalies.

    It takes the place of the default, of growth too, never that of a classifier that a user names.
    """
    from edgeflow.nets.registry import AUTOENCODERS, NETWORKS

    build = config.build
    if task is not Task.ANOMALY or build.model not in NETWORKS or build.model in AUTOENCODERS:
        return config
    grows_from_default = config.grow.enabled and build.model == FIRST_GROWN
    if "model" in build.model_fields_set and not grows_from_default:
        raise ConfigError(
            f"{build.model} is a classifier, and anomaly detection needs a network that rebuilds "
            "its input",
            hint=f"use one of {', '.join(AUTOENCODERS)}, or leave the model out",
        )
    build = build.model_copy(update={"model": AUTOENCODERS[0]})
    return config.model_copy(update={"build": build})


def _with_value_range(config: Config) -> Config:
    """The configuration with the range of values that a network brought with its weights takes.

    Such a network has seen data in its own scaling, and constants found on other data would spoil
    it: the input of an integer model tells the range of 8-bit data, float data stays as it is.
    """
    data = config.data
    if data.scaling is not Scaling.AUTO or data.value_range is not None:
        return config
    kind = kind_of_model(config.build.model)
    if kind is ModelKind.INTEGER_FILE:
        value_range = integer_value_range(config.build.model)
    elif kind is ModelKind.FLOAT_FILE or config.build.weights is not None:
        value_range = (0.0, 1.0)
    else:
        return config
    return config.model_copy(update={"data": data.model_copy(update={"value_range": value_range})})


def portable_config(plan: Plan) -> Config:
    """The configuration with the paths of files that the user brings cut to their names.

    Machine paths are no part of a bundle, and moving data does not change what is built from it.
    """
    config = plan.config
    source, model, target = config.data.source, config.build.model, config.build.target
    if plan.data_digest is not None:
        source = Path(source).expanduser().resolve().name
    if plan.model_digest is not None:
        model = Path(model).name
    if target != plan.target.name:
        target = Path(target).name
    weights = None if config.build.weights is None else Path(config.build.weights).name
    build = {
        "model": model,
        "target": target,
        "weights": weights,
        "device": None,
        "tflm_path": _last_name(config.build.tflm_path),
        "cmsis_nn_path": _last_name(config.build.cmsis_nn_path),
        "tflm_include": tuple(Path(name).name for name in config.build.tflm_include),
    }
    return config.model_copy(
        update={
            "build": config.build.model_copy(update=build),
            "data": config.data.model_copy(update={"source": source}),
            "distill": portable_teacher(config.distill),
        }
    )


def _last_name(path: str | None) -> str | None:
    return None if path is None else Path(path).expanduser().resolve().name


def _section(name: str) -> Callable[[Plan], Any]:
    def dump(plan: Plan) -> Any:
        return getattr(portable_config(plan), name).model_dump(mode="json")

    return dump


OPTIONS: Mapping[str, Callable[[Plan], Any]] = {
    "data": lambda plan: {"options": _section("data")(plan), "content": plan.data_digest},
    "model": lambda plan: {
        "reference": portable_config(plan).build.model,
        "content": plan.model_digest,
        "weights": plan.weights_digest,
    },
    "seed": lambda plan: plan.config.build.seed,
    "engine": lambda plan: {
        "name": plan.config.build.engine_options().engine.value,
        "content": plan.engine_digest,
        "compiler": engine_compiler(plan.config.build.engine_options()),
    },
    "device": lambda plan: plan.config.build.device,
    "lanes": lambda plan: plan.config.build.lanes,
    "style": lambda plan: plan.config.build.style or FpgaStyle.FOLDED,
    "race": lambda plan: {
        "only": plan.config.build.engine,
        "engines": system_engines(),
        "profiles": profiles_digest(plan.target),
    },
    "train": _section("train"),
    "grow": _section("grow"),
    "narrow": _section("narrow"),
    "distill": lambda plan: {
        "options": _section("distill")(plan),
        "content": teacher_digest(plan.config.distill),
    },
    "prune": _section("prune"),
    "growth limits": lambda plan: {
        "budget": plan.config.budget.model_dump(mode="json"),
        "weight_bits": plan.config.quantize.weight_bits,
        "row_by_row": plan.config.memory.row_by_row.value,
        "profile": profile_digest(plan.target),
    },
    "pool": lambda plan: plan.config.search.pool.model_dump(mode="json"),
    "search": lambda plan: plan.config.search.model_dump(mode="json", exclude={"pool"}),
    "space": lambda plan: {
        "granularity": plan.target.simd.channel_granularity,
        "weight_bits": weight_bits(plan.target),
    },
    "search limits": lambda plan: {
        "budget": plan.config.budget.model_dump(mode="json"),
        "row_by_row": plan.config.memory.row_by_row.value,
        "profiles": profiles_digest(plan.target),
    },
    "quantize": _section("quantize"),
    "memory": _section("memory"),
    "ram budget": lambda plan: plan.config.budget.ram_bytes,
    "budget": _section("budget"),
    "target": lambda plan: plan.target.model_dump(mode="json"),
    "config": lambda plan: portable_config(plan).model_dump(mode="json"),
}
