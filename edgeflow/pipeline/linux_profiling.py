"""What the layers of a network cost on a Linux target: seconds, or instructions in an emulator."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgeflow import __version__
from edgeflow.backends.native.program import NativeProgram
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import LinuxRunner, runner_for
from edgeflow.devices.timing import Protocol, time_layers
from edgeflow.errors import ConfigError
from edgeflow.figures import Unit
from edgeflow.graph.cost import weight_bytes
from edgeflow.graph.ir import Graph
from edgeflow.pipeline.profiling import LayerRun, Meter, NetworkRun, firmware_meter, layer_run
from edgeflow.targets.schema import Target, TargetFamily

_TIMED = Protocol(round_seconds=0.02, warm_up_seconds=0.01, most_rounds=15)
_NETWORKS = (
    "Networks that together hold every candidate of the space, untrained, with grids from random "
    "inputs. "
)
_BYTES = (
    "flash_bytes: the layer's constants; code, which layers share, is not counted. ram_bytes: the "
    "layer's inputs, its output and the scratch of its kernel. additivity: the sum of the rows "
    "against whole networks with a random candidate in every cell."
)
TIME_PROTOCOL = (
    f"{_NETWORKS}Rounds, each of two processes pinned to a processor: {_TIMED.warm_up_seconds:g} s "
    f"of warm-up and {_TIMED.round_seconds:g} s of inferences whole, then the same layer by layer, "
    f"the clock's own time taken off; {_TIMED.least_rounds} to {_TIMED.most_rounds} rounds, until "
    "the whole is known within 2 %. n medians of a round. " + _BYTES
)
COUNT_PROTOCOL = f"{_NETWORKS}Instructions of each layer between marks of the runner. {_BYTES}"


def meter_for(target: Target, device: str | None) -> Meter:
    """The meter of a target; on Linux of the machine or the board `device`.

    Raises ConfigError for a board that a microcontroller would be; else as `runner_for`.
    """
    if target.family is TargetFamily.MICROCONTROLLER:
        if device is not None:
            raise ConfigError(
                f"{device}: {target.name} is a microcontroller and has no ssh",
                hint="leave the device out, or choose a Linux target",
            )
        return firmware_meter(target)
    runner = runner_for(target, device)
    runtime = f"edgeflow {__version__} program, kernel set {target.firmware.kernel_set}"
    if runner.processor is None:
        measure = partial(_count, target, runner)
        return Meter(measure, Unit.INSTRUCTIONS, COUNT_PROTOCOL, runtime)
    governor = runner.processor.governor or "not told"
    return Meter(
        measure=partial(_time, target, runner),
        unit=Unit.SECONDS,
        protocol=TIME_PROTOCOL,
        runtime=runtime,
        device=runner.source,
        power_mode=f"frequency governor: {governor}",
        alike=None,
    )


def _time(target: Target, runner: LinuxRunner, graph: Graph, inputs: int, seed: int) -> NetworkRun:
    program, x = _program(target, graph, inputs, seed)
    wholes, rounds = time_layers(runner, program, x, _TIMED)
    layers = tuple(
        _layer(target, graph, each[0].node_name, np.array([time.seconds for time in each]))
        for each in zip(*rounds, strict=True)
    )
    return NetworkRun(wholes, layers, runner.kind, runner.source)


def _count(target: Target, runner: LinuxRunner, graph: Graph, inputs: int, seed: int) -> NetworkRun:
    program, x = _program(target, graph, inputs, seed)
    run = runner.run(program, x, RunLimits())
    layers = tuple(
        _layer(target, graph, layer.node_name, layer.instructions) for layer in run.layers
    )
    return NetworkRun(run.instructions.astype(np.float64), layers, run.kind, run.source)


def _program(
    target: Target, graph: Graph, inputs: int, seed: int
) -> tuple[NativeProgram, NDArray[np.int8]]:
    from edgeflow.backends.firmware.codegen import generate
    from edgeflow.backends.native.toolchain import build_program

    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(seed).integers(-128, 128, (inputs, *shape), dtype=np.int8)
    return build_program(generate(graph, target.firmware.kernel_set), target), x


def _layer(
    target: Target, graph: Graph, node_name: str, costs: NDArray[np.float64] | NDArray[np.int64]
) -> LayerRun:
    (node,) = (each for each in graph.nodes if each.name == node_name)
    return layer_run(graph, target, node_name, costs, weight_bytes(graph, node))
