"""Stage train: the float network, trained on this data unless it comes with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.data.dataset import Dataset
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import FLOAT_SCORES, SANITY, write_document
from edgeflow.pipeline.steps.network import float_network
from edgeflow.pipeline.steps.scored import score_document
from edgeflow.progress import ProgressEvent

if TYPE_CHECKING:
    from torch import nn

    from edgeflow.nets.network import NetworkSpec
    from edgeflow.train.fit import EpochRecord, TrainedNetwork

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
        trained = fit(
            network.module,
            dataset,
            context.plan.config.train,
            context.progress,
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
                    score_name: epoch.validation_accuracy,
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


def read_network(context: StageContext, dataset: Dataset) -> nn.Module:
    """The float network of this stage with its weights."""
    from edgeflow.nets.network import NetworkSpec, build
    from edgeflow.train import weights

    folder = context.inputs["train"]
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
