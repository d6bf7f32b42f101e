"""The yardstick: TensorFlow Lite Micro with CMSIS-NN, from the user's checkouts."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measurement import Firmware, Measurement, Samples, measure_firmware
from edgeflow.backends.engine import Engine, EngineOptions
from edgeflow.exchange.tflite_file import parse
from edgeflow.graph.ir import Graph
from edgeflow.progress import Progress, silent
from edgeflow.targets.schema import Target

TFLM_VARIABLE = "EDGEFLOW_TFLM_PATH"
CMSIS_NN_VARIABLE = "EDGEFLOW_CMSIS_NN_PATH"
INCLUDE_VARIABLE = "EDGEFLOW_TFLM_INCLUDE"
HOW_TO_PROVIDE = (
    "no yardstick: name checkouts of TensorFlow Lite Micro and CMSIS-NN with --tflm-path and "
    f"--cmsis-nn-path, or {TFLM_VARIABLE} and {CMSIS_NN_VARIABLE}"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that name the checkouts; by default the environment's variables."""
    given = [x for x in os.environ.get(INCLUDE_VARIABLE, "").split(os.pathsep) if x]
    parser.add_argument(
        "--tflm-path", metavar="DIR", default=os.environ.get(TFLM_VARIABLE), help="TFLM's checkout"
    )
    parser.add_argument(
        "--cmsis-nn-path",
        metavar="DIR",
        default=os.environ.get(CMSIS_NN_VARIABLE),
        help="CMSIS-NN's checkout",
    )
    parser.add_argument(
        "--tflm-include",
        metavar="DIR",
        action="append",
        default=given,
        help="headers that TFLM's own downloads lack; may be given several times",
    )


def engine_options(options: argparse.Namespace) -> EngineOptions | None:
    """The engine with the checkouts that were named; None where none was."""
    if not (options.tflm_path or options.cmsis_nn_path):
        return None
    return EngineOptions(
        Engine.TFLM, options.tflm_path, options.cmsis_nn_path, tuple(options.tflm_include)
    )


def applies_to(target: Target) -> bool:
    """Whether the yardstick is a build for the target's core: a Cortex-M with DSP or MVE."""
    return "dsp" in target.core.features


def measure_yardstick(
    model: str,
    content: bytes,
    graph: Graph,
    target: Target,
    samples: Samples,
    references: tuple[tuple[str, NDArray[np.int8]], ...],
    options: EngineOptions,
    progress: Progress = silent,
) -> Measurement:
    """Build the yardstick of a `.tflite` file, whose graph is `graph`, and run it.

    The file itself is in the image where its operators are the nodes of the graph; else the graph
    written again, which has none but the operators that are known here.
    """
    from edgeflow.backends.tflm.compiler import version
    from edgeflow.exchange import tflite
    from edgeflow.pipeline.engines import ENGINES

    notes: tuple[str, ...] = (f"TFLM's release build, GCC {version()}",)
    if not _has_a_node_for_each_operator(content, graph):
        content = tflite.write(graph)
        notes = (*notes, "the model file as edgeflow writes it")
    steps = ENGINES[Engine.TFLM]
    source = steps.generate(content, graph, target, options, ())
    built = steps.build(source, target, options, progress)
    firmware = Firmware(built.image, graph, len(content), built.arena_bytes)
    return measure_firmware(model, graph, firmware, target, samples, references, notes)


def _has_a_node_for_each_operator(content: bytes, graph: Graph) -> bool:
    names = [operator.kind for operator in parse(content).operators]
    return names == [node.kind for node in graph.nodes]


def portable_arguments(arguments: list[str]) -> list[str]:
    """Arguments with every path cut to its last name: results name no place of a machine."""
    return [Path(text).name if os.sep in text else text for text in arguments]
