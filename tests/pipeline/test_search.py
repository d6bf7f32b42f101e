"""`edgeflow build --search`: the choice goes on to the devices of two targets and the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeflow.bundle.summary import Summary
from edgeflow.errors import ConfigError
from edgeflow.exchange import tflite
from edgeflow.graph.cost import precision
from edgeflow.pipeline.build import BuildResult, build, run_plans
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.plan import make_plan
from edgeflow.pipeline.steps import report
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.search.infeasible import NoChoiceError

TARGETS = ("cortex-m4", "cortex-m7")
MOST = 90_000
QUICK = {
    "train": {"epochs": 3, "sanity_checks": False},
    "quantize": {"epochs": 1},
    "search": {
        "enabled": True,
        "solutions": 2,
        "pareto_points": 2,
        "pool": {
            "images": 192,
            "score_images": 128,
            "batch_size": 16,
            "steps": 12,
            "narrower_steps": 6,
            "fewer_bits_steps": 4,
        },
    },
    "budget": {"instructions": MOST},
}
SHARED = ("data", "dense", "pool", "scores")


def configured(**sections: dict[str, object]) -> Config:
    return from_values({**QUICK, **sections}, "test")


@dataclass(frozen=True)
class Searched:
    """Two builds of one command, and what the reports are made of."""

    directory: Path
    results: tuple[BuildResult, ...]
    summaries: tuple[Summary, ...]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    directory = tmp_path_factory.mktemp("searched")
    plans = [make_plan(configured(build={"target": target})) for target in TARGETS]
    results = tuple(run_plans(plans, [directory / target for target in TARGETS]))
    summaries = tuple(
        Summary.model_validate_json((r.outputs["report"] / report.SUMMARY).read_bytes())
        for r in results
    )
    return Searched(directory, results, summaries)


def test_the_chosen_network_keeps_the_budget_on_both_devices(searched: Searched) -> None:
    for result, summary in zip(searched.results, searched.summaries, strict=True):
        assert result.refusal is None
        assert summary.passed
        assert summary.figure("instructions, largest of all inferences").value <= MOST


def test_the_second_target_takes_pool_and_scores_from_the_first(searched: Searched) -> None:
    first, second = searched.results
    assert {s.stage for s in first.stages if s.cached} == set()
    assert {s.stage for s in second.stages if s.cached} == set(SHARED)


def test_the_summary_tells_the_choice_and_its_proof(searched: Searched) -> None:
    for summary in searched.summaries:
        found = summary.search
        assert found is not None
        assert found.status == "optimal"
        assert found.bound <= found.score + 1e-9
        assert found.size == sum(row.candidates for row in found.cells)
        assert found.counted["instructions"] <= MOST
        chosen, *others = found.solutions
        assert not chosen.exceeds
        assert chosen.loss <= min((r.loss for r in others if not r.exceeds), default=chosen.loss)
        assert {row.name for row in found.front} > {"search", "all cells as they are, 8 bits"}


def test_the_report_shows_the_search(searched: Searched) -> None:
    text = searched.results[0].report.read_text()  # type: ignore[union-attr]
    assert "<h2>Search</h2>" in text
    assert "loss before fine-tuning" in text


def test_the_model_has_the_bits_that_were_chosen(searched: Searched) -> None:
    for result, summary in zip(searched.results, searched.summaries, strict=True):
        assert summary.search is not None
        graph = tflite.read((result.outputs["quantize"] / MODEL).read_bytes())
        chosen = {row.chosen.rsplit(", ", 1)[-1] for row in summary.search.cells}
        told = {f"{name.removeprefix('w').partition('a')[0]} bits" for name in _precisions(graph)}
        assert chosen - {"identity"} <= told


def _precisions(graph) -> set[str]:  # type: ignore[no-untyped-def]
    return {precision(graph, node) for node in graph.nodes}


def test_a_budget_below_all_candidates_is_refused_with_what_binds(searched: Searched) -> None:
    tight = configured(build={"target": TARGETS[0]}, budget={"instructions": 10_000})
    with pytest.raises(NoChoiceError) as caught:
        build(tight, searched.directory / TARGETS[0])
    assert caught.value.exit_code == 5
    (reach,) = caught.value.reaches
    assert reach.alone is not None
    assert reach.alone > 10_000
    assert reach.cells


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"budget": {}}, "needs a budget"),
        ({"prune": {"sparsity": 0.5}}, "one of them"),
        ({"grow": {"enabled": True}}, "one of them"),
        ({"quantize": {"layer_weight_bits": {"0.conv": 4}}}, "chooses the bits"),
    ],
)
def test_what_a_search_does_not_go_with_is_refused(
    sections: dict[str, dict[str, object]], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        configured(**sections)


def test_only_networks_of_edgeflow_are_searched() -> None:
    with pytest.raises(ConfigError, match="only networks of edgeflow"):
        make_plan(configured(build={"model": "tests.pipeline.test_search:QUICK"}))
