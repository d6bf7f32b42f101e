"""The DSP kernel set, its C twins on this host and its assembler on an emulated Cortex-M4."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.graph.canonical import canonicalize
from edgeflow.graph.ir import OpKind
from edgeflow.targets.schema import KernelSet
from tests.backends.host_model import assert_layers_match, compile_models
from tests.graph.strategies import Dialect, graph_and_input, graphs, single_operator

GRAPHS_PER_BUILD = 20

_batches = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
        HealthCheck.large_base_example,
    ],
)


def _check_all(cases: list, directory: Path) -> None:
    models = compile_models([graph for graph, _ in cases], directory, KernelSet.DSP_C)
    for (graph, inputs), model in zip(cases, models, strict=True):
        assert_layers_match(graph, model, inputs)


@_batches
@given(
    cases=st.lists(
        graph_and_input(graphs(max_nodes=8, dialect=Dialect.EDGEFLOW).map(canonicalize)),
        min_size=GRAPHS_PER_BUILD,
        max_size=GRAPHS_PER_BUILD,
    )
)
def test_every_layer_of_random_graphs_equals_the_interpreter(cases, tmp_path):
    _check_all(cases, tmp_path)


@settings(_batches, max_examples=6)
@given(
    cases=st.tuples(
        *(
            graph_and_input(single_operator(kind, max_inputs=1, dialect=Dialect.EDGEFLOW))
            for kind in (*OpKind, *OpKind)
        )
    )
)
def test_each_operator_equals_the_interpreter(cases, tmp_path):
    _check_all(cases, tmp_path)
