"""The network of a plan, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from edgeflow.data.dataset import LABELS_HINT, Dataset, wanted_outputs
from edgeflow.errors import DataError, ModelError
from edgeflow.nets.user_model import FloatNetwork, IntegerNetwork, UserModel, check_answers
from edgeflow.pipeline.stage import StageContext


def float_network(context: StageContext, dataset: Dataset, further: int = 0) -> FloatNetwork:
    """The plan's network as a float module that suits the data.

    The seed of [build] sets what is random; `further` counts on from it.
    """
    if dataset.test.y is None:
        raise DataError(
            f"the data {dataset.name} has no labels, and {context.plan.model_name} needs them to "
            "be trained or quantized",
            hint=LABELS_HINT,
        )
    network = _load(context, dataset, further)
    if isinstance(network, IntegerNetwork):
        raise ModelError(
            f"{context.plan.model_name} is quantized already and cannot be trained",
            hint="bring it as .tflite or as QDQ .onnx",
        )
    shape, outputs = network.input_shape_hwc, network.outputs
    if shape is not None and shape != dataset.input_shape_hwc:
        raise DataError(
            f"the model {context.plan.model_name} takes inputs of shape {list(shape)} and the "
            f"data {dataset.name} gives {list(dataset.input_shape_hwc)} (height, width, channels)",
            hint="bring fitting data with --data, or set [data] image_size and color",
        )
    if outputs is not None and outputs != dataset.outputs:
        raise DataError(
            f"the model {context.plan.model_name} gives {outputs} outputs and the data "
            f"{dataset.name} has {wanted_outputs(dataset)}",
            hint="bring the data that the model was trained for with --data",
        )
    check_answers(
        context.plan.config.build.model,
        network.module,
        dataset.input_shape_hwc,
        dataset.outputs,
    )
    return network


def integer_network(context: StageContext, dataset: Dataset) -> IntegerNetwork:
    """The plan's network as an integer graph with one input and one output."""
    network = _load(context, dataset)
    name = context.plan.model_name
    if not isinstance(network, IntegerNetwork):
        raise ModelError(
            f"{name} mixes quantized and float operators in a way that is neither a float nor a "
            "QDQ model",
            hint="quantize the whole model, or bring the float model",
        )
    graph = network.graph
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"{name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs",
            hint="a model needs one input and one output",
        )
    return network


def _load(context: StageContext, dataset: Dataset, further: int = 0) -> UserModel:
    import torch

    from edgeflow.nets import registry, user_model

    options = context.plan.config.build
    shape = dataset.input_shape_hwc
    outputs = len(dataset.classes) if dataset.test.y is None else dataset.outputs
    if options.model in registry.NETWORKS:
        module = registry.build(options.model, shape, outputs, options.seed + further)
        return FloatNetwork(module, shape, outputs, pretrained=False)
    weights = None if options.weights is None else Path(options.weights).expanduser()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed + further)
        return user_model.load(options.model, shape, outputs, weights)
