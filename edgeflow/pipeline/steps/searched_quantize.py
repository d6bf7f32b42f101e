"""Stage quantize after a search: every layer with the bits of weights that were chosen for it."""

from __future__ import annotations

from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.pool import read_choice, read_space, read_teacher_network
from edgeflow.pipeline.steps.quantize import quantize_network


def run(context: StageContext) -> None:
    """Quantize the chosen network, taught by the network that the search started from."""
    from edgeflow.search.assemble import layer_weight_bits

    dataset = read_dataset(context.inputs["data"])
    around = read_space(context, dataset)
    bits = layer_weight_bits(around, read_choice(context))
    options = context.plan.config.quantize.model_copy(
        update={"weight_bits": around.fixed_weight_bits, "layer_weight_bits": bits or None}
    )
    quantize_network(context, dataset, options, read_teacher_network(context, dataset))
