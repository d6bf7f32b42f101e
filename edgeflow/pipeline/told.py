"""What a target's device tells, and what may therefore be asked of a build for it."""

from __future__ import annotations

from edgeflow.backends.engine import SYSTEM_ENGINES, Engine
from edgeflow.devices.ssh_session import parse_address
from edgeflow.errors import ConfigError
from edgeflow.pipeline.config import Config
from edgeflow.targets.schema import RunnerKind, Target, TargetFamily


def require_told(config: Config, target: Target) -> None:
    """Raise ConfigError for budgets and searches by a cost that the device does not tell."""
    budget = config.budget
    device = config.build.device
    if device is not None:
        parse_address(device)
    if target.family is TargetFamily.FPGA:
        _require_for_fpga(config, target)
        return
    if target.family is TargetFamily.HLS:
        _require_for_project(config, target)
        return
    for option, value in (("style", config.build.style), ("lanes", config.build.lanes)):
        if value is not None:
            raise ConfigError(
                f"{option} = '{value}' is for FPGAs, {target.name} is none",
                hint=f"leave the {option} out, or choose an FPGA",
            )
    if target.family is TargetFamily.MICROCONTROLLER:
        if config.build.engine in (*SYSTEM_ENGINES, Engine.CUDA):
            raise ConfigError(
                f"engine = '{config.build.engine}' is for Linux, {target.name} is a "
                "microcontroller",
                hint="leave the engine out",
            )
        if device is not None:
            raise ConfigError(
                f"[build] device = {device!r}: {target.name} is a microcontroller and has no ssh",
                hint="leave the device out, or choose a Linux target",
            )
        if budget.latency_seconds is not None:
            raise ConfigError(
                f"[budget] latency: {target.name} is emulated, and an emulator tells no time",
                hint="use the budget instructions=",
            )
        return
    told = device is not None or target.runner.kind is RunnerKind.HOST
    if budget.instructions is not None and told:
        raise ConfigError(
            f"[budget] instructions: nothing counts the instructions of {target.name} on a machine",
            hint="use the budget latency=",
        )
    if budget.latency_seconds is not None and not told:
        raise ConfigError(
            f"[budget] latency: {target.name} is emulated here, and an emulator tells no time",
            hint="name your board with --device ssh://user@host",
        )
    if config.grow.enabled or config.search.enabled:
        section = "grow" if config.grow.enabled else "search"
        raise ConfigError(
            f"[{section}] is for microcontrollers, {target.name} is none",
            hint="choose a microcontroller as target, or build without it",
        )
    if config.build.engine is Engine.CUDA:
        raise ConfigError(
            "engine = 'cuda': kernels for a GPU lie in the bundle beside the artifact, and do not "
            "take its place",
            hint="leave the engine out",
        )
    if config.build.engine is Engine.TFLM:
        raise ConfigError(
            f"engine = '{config.build.engine}' is for microcontrollers, {target.name} is none",
            hint="leave the engine out",
        )
    if config.build.engine in SYSTEM_ENGINES and not told:
        raise ConfigError(
            f"engine = '{config.build.engine}': {target.name} is emulated here, and the emulator "
            "has no such engine",
            hint="name your board with --device ssh://user@host",
        )


def _require_for_fpga(config: Config, target: Target) -> None:
    """An accelerator has cycles and a clock; nothing else runs on it."""
    if config.build.device is not None:
        raise ConfigError(
            f"[build] device = {config.build.device!r}: {target.name} is an FPGA and has no ssh",
            hint="leave the device out",
        )
    if config.build.engine not in (None, Engine.EDGEFLOW):
        raise ConfigError(
            f"engine = '{config.build.engine}' runs on processors, {target.name} is an FPGA",
            hint="leave the engine out",
        )
    if config.budget.instructions is not None:
        raise ConfigError(
            f"[budget] instructions: {target.name} executes none",
            hint="use the budget latency=",
        )
    if config.grow.enabled or config.search.enabled:
        section = "grow" if config.grow.enabled else "search"
        raise ConfigError(
            f"[{section}] is for microcontrollers, {target.name} is none",
            hint="choose a microcontroller as target, or build without it",
        )


def _require_for_project(config: Config, target: Target) -> None:
    """A project has answers; its costs are the vendor's tools' to tell."""
    asked = {
        "[build] device": config.build.device,
        "[build] style": config.build.style,
        "[build] lanes": config.build.lanes,
        "[build] engine": None if config.build.engine is Engine.EDGEFLOW else config.build.engine,
    }
    for option, value in asked.items():
        if value is not None:
            raise ConfigError(
                f"{option} = '{value}': {target.name} is a project for a vendor's compiler",
                hint="leave it out",
            )
    budget = config.budget
    limits = (
        budget.instructions,
        budget.latency_seconds,
        budget.flash_bytes,
        budget.ram_bytes,
    )
    if any(limit is not None for limit in limits):
        raise ConfigError(
            f"[budget]: only the vendor's tools tell what a project for {target.name} costs",
            hint="leave out budgets other than the score's",
        )
    if config.grow.enabled or config.search.enabled:
        section = "grow" if config.grow.enabled else "search"
        raise ConfigError(
            f"[{section}] is for microcontrollers, {target.name} is none",
            hint="choose a microcontroller as target, or build without it",
        )
