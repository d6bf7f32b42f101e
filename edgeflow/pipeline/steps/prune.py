"""Stage train after stage dense: the trained network is pruned, and what is left trained again."""

from __future__ import annotations

import shutil

from edgeflow.errors import ConfigError
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import GROWTH, NETWORKS, PRUNING, SANITY, write_document
from edgeflow.pipeline.steps.network import float_network
from edgeflow.pipeline.steps.teacher import guidance_for
from edgeflow.pipeline.steps.train import (
    SPEC,
    WEIGHTS,
    chosen_options,
    read_network,
    read_spec,
    write_scores,
    write_spec,
)
from edgeflow.progress import ProgressEvent

DENSE = "dense"


def run(context: StageContext) -> None:
    """Write the pruned network, its weights and scores, and what pruning did."""
    from edgeflow.nets.network import build
    from edgeflow.train import weights
    from edgeflow.train.evaluate import objective_score
    from edgeflow.train.prune import zero_fraction
    from edgeflow.train.prune_methods import FROM_TRAINED_WEIGHTS, prune_and_retrain
    from edgeflow.train.retrain import DenseTraining

    options = context.plan.config.prune
    dataset = read_dataset(context.inputs["data"])
    trained = read_network(context, dataset, DENSE)
    spec, train = read_spec(context, dataset, DENSE), chosen_options(context, DENSE)
    started = float_network(context, dataset, train.seed - context.plan.config.train.seed)
    if started.pretrained and options.method not in FROM_TRAINED_WEIGHTS:
        raise ConfigError(
            f"[prune] method = {options.method.value!r} goes back to a training that "
            f"{context.plan.model_name} brings only the end of",
            hint="use method = 'fine-tune' or 'learning-rate-rewind'",
        )
    untrained = started.module
    if spec is not None and (context.inputs[DENSE] / SPEC).is_file():
        untrained = build(spec, train.seed)
    dense = DenseTraining(untrained, trained, dataset, train)
    guidance = guidance_for(context, trained, dataset)
    pruned = prune_and_retrain(dense, spec, options, context.progress, guidance)
    found = {
        "sparsity": options.sparsity,
        "dense": objective_score(trained, dataset, dataset.validation),
        "before_retraining": objective_score(pruned.before, dataset, dataset.validation),
        "retrained": pruned.trained.validation_score,
        "parameters_before": sum(p.numel() for p in trained.parameters()),
        "parameters": sum(p.numel() for p in pruned.trained.network.parameters()),
        "zero_weights": zero_fraction(pruned.trained.network),
    }
    context.progress(
        ProgressEvent(
            "train",
            f"pruned from {found['parameters_before']:,} to {found['parameters']:,} parameters "
            f"({found['zero_weights']:.0%} of the weights zero): validation {found['dense']:.4f} "
            f"before, {found['before_retraining']:.4f} pruned, {found['retrained']:.4f} retrained",
        )
    )
    weights.save(pruned.trained, context.output / WEIGHTS)
    if pruned.spec is not None:
        write_spec(pruned.spec, context.output)
    write_document(context.output / PRUNING, found)
    write_scores(context, pruned.trained, dataset, pruned.trained.history)
    for name in (SANITY, GROWTH, NETWORKS):
        if (context.inputs[DENSE] / name).is_file():
            shutil.copyfile(context.inputs[DENSE] / name, context.output / name)
