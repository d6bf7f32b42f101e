"""docs/adding-an-operator.md lists every place of an operator, and its listing runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from edgeflow.graph.ir import OpKind
from tests.docs.markdown import ROOT, examples, references

PAGE = "adding-an-operator.md"
EXAMPLE = re.compile(r"LOGISTIC|logistic|[Ss]igmoid|edgeflow_lookup|LookupTable")
PLACES = sorted(
    {
        reference.path
        for reference in references(PAGE)
        if reference.path.startswith(("edgeflow/", "targets/"))
    }
)
# Named for other operators: those with an accumulator, and those with weights.
OTHERS = {"edgeflow/graph/overflow.py", "edgeflow/graph/cost.py", "edgeflow/nets/specs.py"}


@pytest.mark.parametrize("path", sorted(set(PLACES) - OTHERS))
def test_the_example_operator_is_in_every_place_that_is_named(path: str) -> None:
    assert EXAMPLE.search((ROOT / path).read_text(encoding="utf-8"))


def test_every_place_that_knows_the_example_operator_is_named() -> None:
    knowing = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "edgeflow").rglob("*.py")
        if f"OpKind.{OpKind.LOGISTIC.name}" in path.read_text(encoding="utf-8")
    }
    assert knowing <= set(PLACES)


def test_the_candidate_runs_bit_exact_and_has_a_cost_for_every_layer() -> None:
    (candidate,) = examples(PAGE, "python")
    values: dict[str, Any] = {}
    exec(compile(candidate, PAGE, "exec"), values)
    assert values["bit_exact"]
    kinds = {key.split()[0] for key in values["costs"]}
    assert {OpKind.LOGISTIC, OpKind.MUL, OpKind.DEPTHWISE_CONV_2D} <= kinds
    assert all(value > 0 for value in values["costs"].values())
