"""Stage train with a wider twin: the float network starts from what the twin has learnt."""

from __future__ import annotations

from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.network import float_network
from edgeflow.pipeline.steps.train import WEIGHTS, check_sanity, write_scores


def run(context: StageContext) -> None:
    """Write the network's weights and scores; the twin is trained, imitated and left behind."""
    from edgeflow.grow.narrow import wide_then_narrow
    from edgeflow.nets.registry import specify
    from edgeflow.train import weights

    config = context.plan.config
    dataset = read_dataset(context.inputs["data"])
    check_sanity(context, float_network(context, dataset).module, dataset)
    trained = wide_then_narrow(
        specify(config.build.model, dataset.input_shape_hwc, dataset.outputs),
        dataset,
        config.train,
        config.narrow,
        context.progress,
        checkpoints=context.unfinished,
    )
    weights.save(trained, context.output / WEIGHTS)
    write_scores(context, trained, dataset, trained.history)
