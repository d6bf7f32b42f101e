"""Stage train with growth: the float network, grown under the target's and the user's limits."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgeflow.pipeline.network_cost import Deployment, counted_cost, estimated_cost
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import GROWTH, write_document
from edgeflow.pipeline.steps.train import (
    WEIGHTS,
    check_sanity,
    write_scores,
    write_spec,
)
from edgeflow.progress import ProgressEvent

if TYPE_CHECKING:
    from edgeflow.grow.record import Grown, Terms

EXAMINED = "small"


def run(context: StageContext) -> None:
    """Write the grown network, its weights and accuracies, and how it grew."""
    from edgeflow.grow.controller import grow
    from edgeflow.nets import network as networks
    from edgeflow.nets.registry import specify
    from edgeflow.train import weights

    config = context.plan.config
    dataset = read_dataset(context.inputs["data"])
    spec = specify(config.build.model, dataset.input_shape_hwc, dataset.outputs)
    # The first network is too small to learn much; the data are examined with one that is not.
    examined = specify(EXAMINED, dataset.input_shape_hwc, dataset.outputs)
    check_sanity(context, networks.build(examined, config.train.seed), dataset)
    grown = grow(
        spec,
        dataset,
        config.grow,
        config.train,
        _terms(context),
        context.progress,
        checkpoints=context.unfinished,
    )
    context.progress(ProgressEvent("train", f"growth ended: {grown.stopped}"))
    weights.save(grown.trained, context.output / WEIGHTS)
    write_spec(grown.spec, context.output)
    write_document(context.output / GROWTH, _growth(grown))
    write_scores(context, grown.trained, dataset, grown.history)


def _terms(context: StageContext) -> Terms:
    from edgeflow.grow.cost import Limits
    from edgeflow.grow.record import Terms

    plan = context.plan
    config, budget = plan.config, plan.config.budget
    deployment = Deployment(
        plan.target, config.quantize.weight_bits, config.memory.row_by_row, budget.ram_bytes
    )
    count = counted_cost(deployment)
    return Terms(
        estimate=estimated_cost(deployment, count),
        count=count,
        limits=Limits(budget.instructions, budget.flash_bytes, budget.ram_bytes),
        goal=budget.accuracy if config.grow.goal is None else config.grow.goal,
    )


def _growth(grown: Grown) -> dict[str, Any]:
    return {
        "stopped": grown.stopped.value,
        "points": [asdict(point) for point in grown.curve],
    }
