"""Stage train: the float network, trained on this data unless it comes with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.data.dataset import Dataset
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import (
    FLOAT_SCORES,
    NETWORKS,
    SANITY,
    read_document,
    write_document,
)
from edgeflow.pipeline.steps.network import float_network
from edgeflow.pipeline.steps.scored import score_document
from edgeflow.pipeline.steps.teacher import guidance_for
from edgeflow.progress import ProgressEvent

if TYPE_CHECKING:
    from torch import nn

    from edgeflow.nets.network import NetworkSpec
    from edgeflow.train.fit import EpochRecord, TrainedNetwork
    from edgeflow.train.options import TrainOptions

WEIGHTS = "weights.safetensors"
SPEC = "network.json"
CHECKPOINT = "checkpoint"


def run(context: StageContext) -> None:
    """Write the float network's weights and its scores on the validation and test parts."""
    from edgeflow.train import weights
    from edgeflow.train.fit import fit

    dataset = read_dataset(context.inputs["data"])
    network = float_network(context, dataset)
    if network.pretrained:
        context.progress(ProgressEvent("train", "the network comes with its weights"))
        trained = _as_it_is(network.module, dataset)
    else:
        check_sanity(context, network.module, dataset)
        if context.plan.config.train.trains_many:
            trained = best_of_many(context, dataset)
        else:
            trained = fit(
                network.module,
                dataset,
                context.plan.config.train,
                context.progress,
                guidance=guidance_for(context, network.module, dataset),
                checkpoint=context.unfinished / CHECKPOINT,
            )
    weights.save(trained, context.output / WEIGHTS)
    write_scores(context, trained, dataset, trained.history)


def write_scores(
    context: StageContext,
    trained: TrainedNetwork,
    dataset: Dataset,
    history: Sequence[EpochRecord],
) -> None:
    """Write what the network reaches on the validation and test parts, and its epochs."""
    from edgeflow.train.evaluate import evaluate
    from edgeflow.train.objective import OBJECTIVES

    score_name = OBJECTIVES[dataset.task].score_name
    reached = {
        name: score_document(evaluate(trained.network, dataset, split), len(split))
        for name, split in (("validation", dataset.validation), ("test", dataset.test))
    }
    write_document(
        context.output / FLOAT_SCORES,
        {
            "best_epoch": trained.best_epoch,
            **reached,
            "epochs": [
                {
                    "stage": "training",
                    "epoch": epoch.epoch,
                    "loss": epoch.train_loss,
                    score_name: epoch.validation_score,
                }
                for epoch in history
            ],
        },
    )


def write_spec(spec: NetworkSpec, folder: Path) -> None:
    """Write a network that is another than the plan's, beside its weights: grown or pruned."""
    (folder / SPEC).write_bytes(spec.model_dump_json(indent=1).encode())


def check_sanity(context: StageContext, network: nn.Module, dataset: Dataset) -> None:
    """Write and tell what the sanity checks find; TrainingError where training is in vain."""
    from edgeflow.train import sanity

    if not context.plan.config.train.sanity_checks:
        return
    findings = sanity.examine(network, dataset, context.plan.config.train)
    for finding in findings:
        if not finding.passed:
            told = (
                f"sanity: {finding.check.value}: {finding.message}; likely cause: {finding.cause}"
            )
            context.progress(ProgressEvent("train", told))
    sanity.require(findings)
    passed = [finding for finding in findings if finding.passed]
    told = f"sanity: {len(passed)} of {len(findings)} checks passed"
    context.progress(ProgressEvent("train", told))
    write_document(
        context.output / SANITY,
        [
            {
                "name": finding.check.value,
                "passed": finding.passed,
                "detail": finding.message
                + (f" (likely cause: {finding.cause})" if finding.cause else ""),
            }
            for finding in findings
        ],
    )


def best_of_many(context: StageContext, dataset: Dataset) -> TrainedNetwork:
    """Train every seed at every learning rate; the best on validation, and a record of all."""
    from edgeflow.train.together import Run, best_of, fit_together, spread

    options = context.plan.config.train
    runs = [
        Run(float_network(context, dataset, further).module, options.seed + further, rate)
        for further in range(options.seeds)
        for rate in options.learning_rates or (options.learning_rate,)
    ]
    outcomes = fit_together(runs, dataset, options, context.progress)
    index, best = best_of(outcomes)
    found, chosen = spread(outcomes), runs[index]
    failed = f", {found.failed} diverged" if found.failed else ""
    context.progress(
        ProgressEvent(
            "train",
            f"{found.trained} networks: mean {found.mean:.4f}, standard deviation "
            f"{found.deviation:.4f}, best {found.best:.4f} (seed {chosen.seed}, learning rate "
            f"{chosen.learning_rate:g}){failed}",
        )
    )
    write_document(
        context.output / NETWORKS,
        {
            "chosen": {"seed": chosen.seed, "learning_rate": chosen.learning_rate},
            **asdict(found),
            "networks": [
                {
                    "seed": run.seed,
                    "learning_rate": run.learning_rate,
                    "validation": getattr(outcome, "validation_score", None),
                }
                for run, outcome in zip(runs, outcomes, strict=True)
            ],
        },
    )
    return best


def chosen_options(context: StageContext, stage: str) -> TrainOptions:
    """The options with which the network that stage `stage` chose was trained."""
    options, path = context.plan.config.train, context.inputs[stage] / NETWORKS
    return options.model_copy(update=read_document(path)["chosen"]) if path.is_file() else options


def read_spec(context: StageContext, dataset: Dataset, stage: str = "train") -> NetworkSpec | None:
    """The specification of the network that stage `stage` wrote; None for a user's own module."""
    from edgeflow.nets.network import NetworkSpec
    from edgeflow.nets.registry import NETWORKS as REGISTERED
    from edgeflow.nets.registry import specify

    path, model = context.inputs[stage] / SPEC, context.plan.config.build.model
    if path.is_file():
        return NetworkSpec.model_validate_json(path.read_bytes())
    if model not in REGISTERED:
        return None
    return specify(model, dataset.input_shape_hwc, dataset.outputs)


def read_network(context: StageContext, dataset: Dataset, stage: str = "train") -> nn.Module:
    """The float network that stage `stage` wrote, with its weights."""
    from edgeflow.nets.network import NetworkSpec, build
    from edgeflow.train import weights

    folder = context.inputs[stage]
    if (folder / SPEC).is_file():
        spec = NetworkSpec.model_validate_json((folder / SPEC).read_bytes())
        network = build(spec, context.plan.config.build.seed)
    else:
        network = float_network(context, dataset).module
    return weights.load(network, folder / WEIGHTS).network


def _as_it_is(network: nn.Module, dataset: Dataset) -> TrainedNetwork:
    from edgeflow.train.evaluate import objective_score
    from edgeflow.train.fit import TrainedNetwork

    network.eval()
    return TrainedNetwork(network, (), 0, objective_score(network, dataset, dataset.validation))
