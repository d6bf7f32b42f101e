"""`[train] seeds`, `[distill]` and `[prune]` go through to the device."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from edgeflow.bundle.summary import Summary
from edgeflow.errors import ConfigError
from edgeflow.pipeline.build import BuildResult, build, run_plan
from edgeflow.pipeline.config import Config, from_values
from edgeflow.pipeline.plan import make_plan
from edgeflow.pipeline.steps import report
from edgeflow.pipeline.steps.files import FLOAT_SCORES, NETWORKS, PRUNING
from edgeflow.pipeline.template import template
from edgeflow.progress import Progress, ProgressEvent, silent

QUICK: dict[str, Any] = {"train": {"epochs": 2}, "quantize": {"epochs": 0}}


def configured(**sections: dict[str, object]) -> Config:
    values = {name: {**QUICK.get(name, {}), **options} for name, options in sections.items()}
    return from_values({**QUICK, **values}, "test")


def trained(config: Config, run_dir: Path, progress: Progress = silent) -> Path:
    """What the stages up to training write: what comes after is as in any other build."""
    plan = make_plan(config)
    names = [stage.name for stage in plan.stages]
    plan = dataclasses.replace(plan, stages=plan.stages[: names.index("train") + 1])
    return run_plan(plan, run_dir, progress).outputs["train"]


def summary_of(result: BuildResult) -> Summary:
    return Summary.model_validate_json((result.outputs["report"] / report.SUMMARY).read_bytes())


def test_the_best_of_several_networks_goes_on(tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    config = configured(train={"epochs": 1, "seeds": 2, "learning_rates": [0.01, 0.001]})
    folder = trained(config, tmp_path, events.append)
    found = json.loads((folder / NETWORKS).read_bytes())
    networks = found["networks"]
    assert [(n["seed"], n["learning_rate"]) for n in networks] == [
        (0, 0.01),
        (0, 0.001),
        (1, 0.01),
        (1, 0.001),
    ]
    best = max(networks, key=lambda n: n["validation"])
    assert found["chosen"] == {"seed": best["seed"], "learning_rate": best["learning_rate"]}
    assert found["best"] == best["validation"] > found["mean"]
    told = " ".join(event.message for event in events)
    assert f"4 networks: mean {found['mean']:.4f}" in told
    scores = json.loads((folder / FLOAT_SCORES).read_bytes())
    assert scores["epochs"][0]["accuracy"] == best["validation"]


def test_a_network_pruned_with_a_teacher_is_verified_on_the_device(tmp_path: Path) -> None:
    config = configured(
        distill={"teacher": "mlperf-autoencoder", "quantization": True},
        quantize={"epochs": 1},
        prune={"sparsity": 0.5, "method": "fine-tune"},
    )
    result = build(config, tmp_path)
    assert result.refusal is None
    assert [stage.stage for stage in result.stages[:4]] == ["data", "teacher", "dense", "train"]
    found = json.loads((result.outputs["train"] / PRUNING).read_bytes())
    assert found["parameters"] < 0.5 * found["parameters_before"]
    assert found["retrained"] > found["before_retraining"]
    summary = summary_of(result)
    assert summary.passed
    assert summary.pruning is not None
    assert summary.pruning.model_dump() == found
    assert f"{found['parameters']:,}, 0 % of the weights" in result.report.read_text("utf-8")


@pytest.mark.parametrize("method", ["kd-ticket", "rewind", "learning-rate-rewind"])
def test_every_method_of_retraining_goes_by_its_name(method: str, tmp_path: Path) -> None:
    prune = {"sparsity": 0.3, "structure": "weights", "method": method, "rewind_epochs": 1}
    folder = trained(configured(prune=prune, train={"epochs": 2, "seeds": 2}), tmp_path)
    found = json.loads((folder / PRUNING).read_bytes())
    assert found["zero_weights"] == pytest.approx(0.3, abs=0.02)
    assert found["parameters"] == found["parameters_before"]


@pytest.mark.parametrize("method", ["features", "online"])
def test_every_method_of_distillation_goes_by_its_name(method: str, tmp_path: Path) -> None:
    plain, taught = (
        json.loads((trained(configured(**sections), tmp_path) / FLOAT_SCORES).read_bytes())
        for sections in ({}, {"distill": {"teacher": "small", "method": method}})
    )
    assert plain["epochs"] != taught["epochs"]
    stages = make_plan(configured(distill={"teacher": "small", "method": method})).stages
    assert ("teacher" in {stage.name for stage in stages}) == (method == "features")


def test_the_teacher_teaches_the_quantized_network_where_it_is_asked_to() -> None:
    def readers(**options: object) -> set[str]:
        stages = make_plan(configured(distill={"teacher": "small", **options})).stages
        return {stage.name for stage in stages if "teacher" in stage.reads}

    assert readers() == {"train"}
    assert readers(quantization=True) == {"train", "quantize"}
    with pytest.raises(ConfigError, match="gone when its student is quantized"):
        readers(quantization=True, method="online")


def test_without_a_teacher_no_stage_depends_on_distillation() -> None:
    plain, hotter = configured(), configured(distill={"temperature": 2.0})
    assert make_plan(plain).stages == make_plan(hotter).stages
    assert "teacher" not in {stage.name for stage in make_plan(plain).stages}
    assert "dense" not in {stage.name for stage in make_plan(plain).stages}


@pytest.mark.parametrize(
    ("sections", "wanted"),
    [
        ({"distill": {"teacher": "smal"}}, "there is no network"),
        ({"distill": {"teacher": "tests.nets.modules:Plain"}}, "is a Python import path"),
        (
            {"prune": {"sparsity": 0.5}, "build": {"model": "tests.nets.modules:Plain"}},
            "cannot take channels out",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_beforehand(
    sections: dict[str, dict[str, object]], wanted: str
) -> None:
    from edgeflow.errors import UsageError

    with pytest.raises(UsageError, match=wanted):
        make_plan(configured(**sections))


@pytest.mark.parametrize(
    "sections",
    [
        {"prune": {"sparsity": 1.0}},
        {"prune": {"method": "retrain"}},
        {"distill": {"temperature": 0}},
        {"distill": {"soft_weight": 1.5}},
        {"train": {"seeds": 0}},
        {"train": {"learning_rates": [0.01, 0.01]}},
        {"train": {"learning_rates": [-0.01]}},
        {"train": {"seeds": 2}, "distill": {"teacher": "small"}},
        {"train": {"seeds": 2}, "grow": {"enabled": True}},
        {"distill": {"teacher": "small"}, "narrow": {"width": 2}},
    ],
)
def test_bad_options_are_refused(sections: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ConfigError):
        configured(**sections)


def test_the_template_has_every_section() -> None:
    text = template()
    for line in (
        "[distill]",
        "[prune]",
        "# sparsity = 0.0",
        "# seeds = 1",
        "# learning_rates = []",
    ):
        assert line in text
