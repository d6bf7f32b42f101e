"""`edgeflow build --grow`: a network grown under a budget goes on to the device and the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeflow.bundle.summary import Summary
from edgeflow.errors import ConfigError, InfeasibleError
from edgeflow.figures import FigureKind
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.plan import make_plan
from edgeflow.pipeline.steps import report

QUICK = {
    "grow": {"enabled": True, "epochs": 1, "steps": 2, "samples": 64},
    "train": {"epochs": 2, "sanity_checks": False},
    "quantize": {"epochs": 0},
}
BUDGET = {"instructions": 60_000, "flash_bytes": 8 * 1024}


def configured(**sections: dict[str, object]) -> Config:
    return from_values({**QUICK, **sections}, "test")


def summary_of(result: BuildResult) -> Summary:
    return Summary.model_validate_json((result.outputs["report"] / report.SUMMARY).read_bytes())


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildResult, Summary]:
    result = build(configured(budget=BUDGET), tmp_path_factory.mktemp("grown"), lambda event: None)
    return result, summary_of(result)


def test_growth_starts_from_the_seed_network_unless_another_is_named() -> None:
    assert configured().build.model == "seed"
    assert configured(build={"model": "small"}).build.model == "small"
    assert from_values({}, "test").build.model == "small"


def test_a_grown_network_is_verified_on_the_device_within_its_budget(
    grown: tuple[BuildResult, Summary],
) -> None:
    result, summary = grown
    assert result.refusal is None
    assert summary.passed
    assert summary.figure("instructions, largest of all inferences").value <= 60_000
    assert summary.figure("flash").value <= 8 * 1024


def test_the_curve_tells_what_each_network_takes_on_the_device(
    grown: tuple[BuildResult, Summary],
) -> None:
    _, summary = grown
    assert summary.growth[0].action == "start"
    assert summary.growth[0].parameters < summary.growth[1].parameters
    assert {row.kind for row in summary.growth} == {FigureKind.SIMULATED}
    last = summary.growth[-1]
    # Counts hardly depend on weights: untrained during growth, trained in the image.
    deployed = summary.figure("instructions per inference").value
    assert last.instructions == pytest.approx(deployed, rel=0.01)
    assert abs(last.flash_bytes - summary.figure("flash").value) < 100


def test_the_report_shows_the_curve(grown: tuple[BuildResult, Summary]) -> None:
    result, summary = grown
    html = result.report.read_text(encoding="utf-8")
    assert "<h2>Growth</h2>" in html
    assert f"Growth ended because {summary.growth_stopped}" in html
    for row in summary.growth:
        assert row.action in html


def test_a_budget_below_the_first_network_is_infeasible(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match="seed, from which growth starts, takes"):
        build(configured(budget={"instructions": 1000}), tmp_path, lambda event: None)


def test_networks_of_others_do_not_grow() -> None:
    with pytest.raises(ConfigError, match="only networks of edgeflow grow"):
        make_plan(configured(build={"model": "tests.nets.modules:Plain"}))


def test_another_budget_grows_another_network() -> None:
    first, second = (
        make_plan(configured(budget={"instructions": n})).option("growth limits")
        for n in (60_000, 70_000)
    )
    assert first != second
