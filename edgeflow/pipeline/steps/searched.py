"""Stage train after a search: the chosen network, trained on from the pool's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeflow.data.task import Task
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.pool import (
    read_choice,
    read_pool,
    read_space,
    read_teacher_network,
)
from edgeflow.pipeline.steps.train import CHECKPOINT, WEIGHTS, write_scores, write_spec

if TYPE_CHECKING:
    from torch import nn

    from edgeflow.data.dataset import Dataset
    from edgeflow.train.guidance import Guidance


def run(context: StageContext) -> None:
    """Write the chosen network, its weights and its scores."""
    from edgeflow.search.assemble import assembled
    from edgeflow.search.space import assembly
    from edgeflow.train import weights
    from edgeflow.train.fit import fit

    dataset = read_dataset(context.inputs["data"])
    around, teacher = read_space(context, dataset), read_teacher_network(context, dataset)
    choice = read_choice(context)
    trained = fit(
        assembled(around, choice, teacher, read_pool(context, dataset)),
        dataset,
        context.plan.config.train,
        context.progress,
        guidance=_guidance(context, teacher, dataset),
        checkpoint=context.unfinished / CHECKPOINT,
    )
    weights.save(trained, context.output / WEIGHTS)
    write_spec(assembly(around, choice).spec, context.output)
    write_scores(context, trained, dataset, trained.history)


def _guidance(context: StageContext, teacher: nn.Module, dataset: Dataset) -> Guidance:
    """The teacher's answers; quantities are learnt from the targets alone."""
    from edgeflow.train.distill import by_logits
    from edgeflow.train.guidance import BY_TARGETS

    options = context.plan.config.search
    if dataset.task is not Task.CLASSIFICATION:
        return BY_TARGETS
    return by_logits(teacher, temperature=options.temperature, soft_weight=options.soft_weight)
