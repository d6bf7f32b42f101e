"""Stages pool and scores: weights for every candidate around the teacher, and what each adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeflow.data.dataset import Dataset
from edgeflow.errors import ModelError
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import SEARCH, read_arrays, read_document, write_arrays
from edgeflow.pipeline.steps.train import read_network, read_spec
from edgeflow.pipeline.target_bits import weight_bits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from edgeflow.search.options import PoolOptions
    from edgeflow.search.pool import Pool
    from edgeflow.search.space import Choice, Space

DENSE = "dense"
POOL = "pool.safetensors"
SCORES = "scores.npz"


def run(context: StageContext) -> None:
    """Write the pool."""
    from edgeflow.search import pool

    dataset = read_dataset(context.inputs["data"])
    trained = pool.train_pool(
        read_space(context, dataset),
        read_teacher_network(context, dataset),
        dataset,
        pool_options(context),
        context.progress,
        context.unfinished,
    )
    pool.save(trained, context.output / POOL)


def run_scores(context: StageContext) -> None:
    """Write the scores of all candidates."""
    from edgeflow.search.scores import score_candidates

    dataset = read_dataset(context.inputs["data"])
    scores = score_candidates(
        read_space(context, dataset),
        read_teacher_network(context, dataset),
        read_pool(context, dataset),
        dataset,
        pool_options(context),
        context.progress,
    )
    write_arrays(
        context.output / SCORES, {f"{number:04d}": own for number, own in enumerate(scores)}
    )


def read_space(context: StageContext, dataset: Dataset) -> Space:
    """The space around the trained network for the plan's target.

    Raises ModelError for a network whose cells edgeflow does not know.
    """
    from edgeflow.search.candidates import space

    spec = read_spec(context, dataset, DENSE)
    if spec is None:
        raise ModelError(
            f"{context.plan.model_name} has no cells that could be searched",
            hint="name a network of edgeflow as [build] model",
        )
    target = context.plan.target
    found = space(spec, target.simd.channel_granularity, weight_bits(target))
    if not found.cells:
        raise ModelError(
            f"{context.plan.model_name} has no cell that convolves, and a search has nothing to "
            "choose",
            hint="name another network of edgeflow as [build] model",
        )
    return found


def read_teacher_network(context: StageContext, dataset: Dataset) -> nn.Module:
    """The trained network that candidates imitate."""
    return read_network(context, dataset, DENSE).eval()


def read_pool(context: StageContext, dataset: Dataset) -> Pool:
    """What stage pool wrote."""
    from edgeflow.search.pool import load

    return load(read_space(context, dataset), context.inputs["pool"] / POOL)


def read_scores(context: StageContext) -> tuple[NDArray[np.float64], ...]:
    """What stage scores wrote."""
    found = read_arrays(context.inputs["scores"] / SCORES)
    return tuple(found[name] for name in sorted(found))


def read_choice(context: StageContext) -> Choice:
    """The candidates that stage search chose."""
    return tuple(read_document(context.inputs["search"] / SEARCH)["choice"])


def pool_options(context: StageContext) -> PoolOptions:
    """The options with the seed of [build] added."""
    options = context.plan.config.search.pool
    return options.model_copy(update={"seed": options.seed + context.plan.config.build.seed})
