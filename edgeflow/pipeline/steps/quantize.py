"""Stage quantize: post-training quantization, fine-tuning, and lowering to the integer graph."""

from __future__ import annotations

from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import MODEL, QUANTIZED_ACCURACIES, write_document
from edgeflow.pipeline.steps.recorder import EpochRecorder
from edgeflow.pipeline.steps.train import read_network


def run(context: StageContext) -> None:
    """Quantize the float network and write its integer graph."""
    from edgeflow.exchange import tflite
    from edgeflow.lower.export import lower
    from edgeflow.quantize.flow import quantize

    dataset = read_dataset(context.inputs["data"])
    network = read_network(context, dataset)
    record = EpochRecorder("fine-tuning", context.progress)
    quantized = quantize(network, dataset, context.plan.config.quantize, record)
    graph = lower(quantized.module, quantized.calibration_inputs, context.plan.model_name)
    (context.output / MODEL).write_bytes(tflite.write(graph))
    write_document(
        context.output / QUANTIZED_ACCURACIES,
        {
            "kept": quantized.kept.value,
            "images": len(dataset.validation),
            "float": quantized.float_accuracy,
            "post_training": quantized.post_training_accuracy,
            "fine_tuned": quantized.fine_tuned_accuracy,
            "epochs": record.rows,
        },
    )
