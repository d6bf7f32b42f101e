"""Stage teacher: the network that teaches, trained as the student will be, or brought trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeflow.data.dataset import Dataset
from edgeflow.errors import ModelError
from edgeflow.nets.user_model import FloatNetwork, check_answers
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import write_document
from edgeflow.progress import ProgressEvent

if TYPE_CHECKING:
    from torch import nn

    from edgeflow.train.guidance import Guidance

WEIGHTS = "teacher.safetensors"
SCORE = "teacher.json"
CHECKPOINT = "checkpoint"


def run(context: StageContext) -> None:
    """Write the teacher's weights and its score on the validation part."""
    from edgeflow.train import weights
    from edgeflow.train.evaluate import objective_score
    from edgeflow.train.fit import TrainedNetwork, fit

    dataset = read_dataset(context.inputs["data"])
    teacher = _teacher(context, dataset)
    if teacher.pretrained:
        score = objective_score(teacher.module.eval(), dataset, dataset.validation)
        trained = TrainedNetwork(teacher.module, (), 0, score)
    else:
        trained = fit(
            teacher.module,
            dataset,
            context.plan.config.train,
            context.progress,
            checkpoint=context.unfinished / CHECKPOINT,
        )
    name, score = context.plan.config.distill.teacher, trained.validation_score
    context.progress(ProgressEvent("teacher", f"the teacher {name} reaches {score:.4f}"))
    weights.save(trained, context.output / WEIGHTS)
    write_document(context.output / SCORE, {"validation": trained.validation_score})


def guidance_for(context: StageContext, student: nn.Module, dataset: Dataset) -> Guidance:
    """How the plan's teacher, if it has one, guides the training of `student`."""
    import numpy as np

    from edgeflow.train.batches import plain_batch, source
    from edgeflow.train.distill_methods import guidance
    from edgeflow.train.guidance import BY_TARGETS

    options = context.plan.config.distill
    if options.teacher is None:
        return BY_TARGETS
    teacher = read_teacher(context, dataset) or _teacher(context, dataset).module
    example = plain_batch(source(dataset, dataset.train), np.arange(2)).x
    return guidance(options, student, teacher, example, context.plan.config.train.seed)


def read_teacher(context: StageContext, dataset: Dataset) -> nn.Module | None:
    """The trained teacher, where this stage reads one."""
    from edgeflow.train import weights

    if "teacher" not in context.inputs:
        return None
    module = _teacher(context, dataset).module
    return weights.load(module, context.inputs["teacher"] / WEIGHTS).network


def _teacher(context: StageContext, dataset: Dataset) -> FloatNetwork:
    from edgeflow.nets import registry, user_model

    name = context.plan.config.distill.teacher
    assert name is not None, "stage teacher runs only with one"
    shape, outputs = dataset.input_shape_hwc, dataset.outputs
    if name in registry.NETWORKS:
        # Not the student's seed: a peer of the same kind must start elsewhere.
        module = registry.build(name, shape, outputs, context.plan.config.build.seed + 1)
        return FloatNetwork(module, shape, outputs, pretrained=False)
    brought = user_model.load(name, shape, outputs)
    if not isinstance(brought, FloatNetwork):
        raise ModelError(
            f"the teacher {name} is quantized", hint="bring its float model, before quantization"
        )
    check_answers(name, brought.module, shape, outputs)
    return brought
