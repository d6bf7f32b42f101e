"""Networks as layers of hls4ml: in whole numbers, and as the C++ that hls4ml writes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.reference_networks import dense_digits
from edgeflow.backends.fpga.network import finish
from edgeflow.backends.hls.artifact import folder_files, project_of, read_project
from edgeflow.backends.hls.block import HlsNetwork
from edgeflow.backends.hls.full import for_compiler
from edgeflow.backends.hls.network import hls_network
from edgeflow.backends.hls.project import HlsPart, project_files
from edgeflow.devices.hls_emulation import build_emulation, run_emulation
from edgeflow.errors import DeviceFaultError, ToolFailedError, UnsupportedOperatorError
from edgeflow.exchange import tflite
from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph
from edgeflow.targets.registry import load
from edgeflow.targets.schema import HlsCompiler
from tests.backends.hls.evaluation import evaluate
from tests.backends.hls.presence import needs_hls
from tests.backends.ordinary_networks import ordinary_network
from tests.shared_data import shared_file

# Sums of branches, changes of scale, pooling, constant layers, and cuts at both ends.
SEEDS = (7, 8, 10, 14, 21, 54, 102, 117, 149, 166, 176, 179, 232, 242)
TARGETS = ("vitis-hls", "quartus", "catapult")


def _graph(seed: int) -> Graph:
    return canonicalize(ordinary_network(seed))


def _inputs(graph: Graph, rows: int) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    return np.random.default_rng(1).integers(-128, 128, (rows, *shape), dtype=np.int8)


def _check_in_numbers(graph: Graph, network: HlsNetwork) -> None:
    x = _inputs(graph, 6)
    answers = evaluate(network, x.astype(np.int64)) + network.answer.zero
    assert answers.min() >= -128
    assert answers.max() <= 127
    assert np.array_equal(finish(graph, answers.astype(np.int8)), run_batch(graph, x))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_are_exact_in_whole_numbers(seed: int) -> None:
    graph = _graph(seed)
    network = hls_network(graph)
    _check_in_numbers(graph, network)
    _check_in_numbers(graph, for_compiler(network, HlsCompiler.QUARTUS))


@pytest.mark.parametrize("name", ["kws_dscnn_int8"])
def test_networks_of_mlperf_tiny_are_exact_in_whole_numbers(name: str) -> None:
    graph = canonicalize(tflite.read(shared_file(f"mlperf_tiny/{name}.tflite").read_bytes()))
    _check_in_numbers(graph, hls_network(graph))


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_weights_of_every_width_are_exact(bits: int) -> None:
    graph = dense_digits(bits)
    network = hls_network(graph)
    _check_in_numbers(graph, network)
    widths = {b.types["weight"].bits for b in network.blocks if b.kind == "Dense"}
    assert widths == {bits}


def _part(target: str) -> HlsPart:
    found = load(target)
    assert found.hls is not None
    return HlsPart(found.hls.compiler, found.hls.device, found.core.clock_hz)


@needs_hls
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "graph", [dense_digits(), _graph(242), _graph(232)], ids=["dense", "windows", "pool"]
)
def test_the_project_s_code_answers_as_the_interpreter(target: str, graph: Graph) -> None:
    part = _part(target)
    network = for_compiler(hls_network(graph), part.compiler)
    files = project_files(network, part)
    project = project_of(files, network, part.compiler)
    assert read_project(folder_files(project)).files == files
    x = _inputs(graph, 50)
    found = run_emulation(project, build_emulation(project), graph, x)
    assert np.array_equal(found.outputs, run_batch(graph, x).reshape(50, -1))


@needs_hls
def test_a_project_is_the_same_each_time_and_names_no_folder_of_its_maker() -> None:
    network, part = hls_network(dense_digits()), _part("vitis-hls")
    files = project_files(network, part)
    assert project_files(network, part) == files
    assert not any(b"edgeflow-hls-" in content for content in files.values())
    assert {"build_prj.tcl", "firmware/edgeflow_network.cpp"} <= files.keys()


@needs_hls
def test_what_a_compiler_or_a_program_says_is_told() -> None:
    network, part = hls_network(dense_digits()), _part("quartus")
    project = project_of(project_files(network, part), network, part.compiler)
    broken = {**project.files, "firmware/edgeflow_network.cpp": b"no C++"}
    with pytest.raises(ToolFailedError, match="refused the project"):
        build_emulation(replace(project, files=broken))
    x = _inputs(dense_digits(), 1)
    with pytest.raises(DeviceFaultError, match="exit code 1"):
        run_emulation(project, b"#!/bin/sh\nexit 1\n", dense_digits(), x)


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (1, "no dilated windows"),
        (6, "without padding and overlap"),
        (9, "several outputs for each input channel"),
    ],
)
def test_what_the_projects_do_not_compute_is_refused(seed: int, message: str) -> None:
    with pytest.raises(UnsupportedOperatorError, match=message):
        hls_network(_graph(seed))
