from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.backends.firmware.codegen import generate
from edgeflow.graph.ir import OpKind
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import merged_files
from tests.backends.kernel_sets import KERNEL_SETS, PROCESSOR_FLAGS
from tests.backends.many_models import Case, checking_main
from tests.backends.ordinary_networks import ordinary_network
from tests.backends.segments import drawn_segments
from tests.graph.strategies import Dialect, graph_and_input, graphs, single_operator

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

_few = settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
        HealthCheck.large_base_example,
    ],
)


def _assert_clean(
    cases: list[Case], folder: Path, kernel_set: KernelSet, *, by_rows: bool = False
) -> None:
    parts = [
        drawn_segments(graph, seed) if by_rows else () for seed, (graph, _) in enumerate(cases)
    ]
    sources = [generate(graph, kernel_set, p) for (graph, _), p in zip(cases, parts, strict=True)]
    files = {**merged_files(sources), "main.c": checking_main(cases)}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    names = sorted(name for name in files if name.endswith(".c"))
    flags = PROCESSOR_FLAGS.get(kernel_set, ())
    command = ["gcc", "-std=c99", *SANITIZERS, *flags, "-o", "models", *names]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("gcc has no sanitizer libraries here")
    assert built.returncode == 0, built.stderr
    # Leak detection needs ptrace, which containers forbid; there is no heap to leak from.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        ["./models"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _each_operator() -> st.SearchStrategy[tuple[Case, ...]]:
    kinds = [single_operator(k, max_inputs=1, dialect=Dialect.EDGEFLOW) for k in OpKind]
    return st.tuples(*(graph_and_input(kind) for kind in kinds))


@needs_gcc
@_few
@given(cases=_each_operator())
def test_operators_run_without_undefined_behaviour(cases, tmp_path):
    _assert_clean(list(cases), tmp_path, KernelSet.PORTABLE_C)


def _ordinary(count: int, weight_bits: tuple[int, ...]) -> list[Case]:
    rng = np.random.default_rng(5)
    networks = [ordinary_network(200 + i, weight_bits=weight_bits) for i in range(count)]
    cases = []
    for graph in networks:
        shape = graph.tensors[graph.inputs[0]].shape
        cases.append((graph, {graph.inputs[0]: rng.integers(-128, 128, shape, dtype=np.int8)}))
    return cases


@needs_gcc
@pytest.mark.parametrize("kernel_set", KERNEL_SETS[1:])
def test_fast_kernels_run_without_undefined_behaviour(kernel_set, tmp_path):
    """The C twins of the assembler, and all that is C in either case."""
    _assert_clean(_ordinary(30, (8,)), tmp_path, kernel_set)


@needs_gcc
@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_kernels_of_narrow_weights_run_without_undefined_behaviour(kernel_set, tmp_path):
    _assert_clean(_ordinary(20, (4, 2)), tmp_path, kernel_set)


@needs_gcc
@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
def test_layers_by_rows_run_without_undefined_behaviour(kernel_set, tmp_path):
    rng = np.random.default_rng(6)
    cases = []
    for seed in range(600, 612):
        graph = ordinary_network(seed, layers=7)
        shape = graph.tensors[graph.inputs[0]].shape
        cases.append((graph, {graph.inputs[0]: rng.integers(-128, 128, shape, dtype=np.int8)}))
    _assert_clean(cases, tmp_path, kernel_set, by_rows=True)


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize("kernel_set", KERNEL_SETS)
@settings(_few, max_examples=30)
@given(
    cases=st.lists(
        graph_and_input(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW)), min_size=12, max_size=12
    )
)
def test_random_graphs_run_without_undefined_behaviour(cases, tmp_path, kernel_set):
    _assert_clean(cases, tmp_path, kernel_set)


@needs_gcc
def test_the_sanitizers_do_stop_a_bad_access(tmp_path):
    """The check above can fail: an access one element beyond an array ends the program."""
    text = "static signed char a[4];\nint main(int n, char **v) { (void)v; return a[n + 3]; }\n"
    (tmp_path / "main.c").write_text(text)
    built = subprocess.run(
        ["gcc", *SANITIZERS, "-o", "bad", "main.c"], cwd=tmp_path, capture_output=True, check=False
    )
    if built.returncode != 0:
        pytest.skip("gcc has no sanitizer libraries here")
    assert subprocess.run(["./bad"], cwd=tmp_path, capture_output=True, check=False).returncode != 0
