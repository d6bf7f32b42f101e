"""Stage train: the float network, trained on this data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeflow.data.dataset import Dataset, prepare
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import write_document
from edgeflow.pipeline.steps.recorder import EpochRecorder

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "weights.safetensors"
ACCURACIES = "float.json"


def run(context: StageContext) -> None:
    """Train the network and measure the float accuracy on the test part."""
    from edgeflow.train import weights
    from edgeflow.train.evaluate import accuracy
    from edgeflow.train.fit import fit

    dataset = read_dataset(context.inputs["data"])
    record = EpochRecorder("training", context.progress)
    trained = fit(_untrained(context, dataset), dataset, context.plan.config.train, record)
    weights.save(trained, context.output / WEIGHTS)
    test = prepare(dataset.preprocessing, dataset.test.x)
    write_document(
        context.output / ACCURACIES,
        {
            "best_epoch": trained.best_epoch,
            "validation": trained.validation_accuracy,
            "validation_images": len(dataset.validation),
            "test": accuracy(trained.network, test, dataset.test.y),
            "test_images": len(dataset.test),
            "epochs": record.rows,
        },
    )


def read_network(context: StageContext, dataset: Dataset) -> nn.Module:
    """The trained network that the stage before this one wrote."""
    from edgeflow.train import weights

    network = _untrained(context, dataset)
    return weights.load(network, context.inputs["train"] / WEIGHTS).network


def _untrained(context: StageContext, dataset: Dataset) -> nn.Module:
    from edgeflow.nets import registry

    config = context.plan.config
    return registry.build(
        config.build.model, dataset.input_shape_hwc, len(dataset.classes), config.build.seed
    )
