"""What a user of TensorRT takes to the board."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from edgeflow.errors import DoesNotFitError
from edgeflow.exchange import onnx_plain
from edgeflow.graph.ir import Graph
from edgeflow.targets.schema import Target

MODEL = "model.onnx"
SCRIPT = "build_engine.sh"

_MOST_MIB, _LEAST_MIB = 1024, 64
# TensorRT 8.4 replaced --workspace.
_POOLS_SINCE = (8, 4)


def project_files(graph: Graph, target: Target) -> Mapping[str, bytes]:
    """The float model and the script that builds an engine of it on the target's board.

    Integer products are left out: TensorRT takes quantized activations without zero points alone,
    and those of the integer graph have some. Empty for a target without TensorRT.

    Raises:
        DoesNotFitError: the board's TensorRT reads no opset as new as the model's.
    """
    gpu = target.gpu
    if gpu is None or not gpu.tensorrt:
        return {}
    if gpu.onnx_opset is not None and gpu.onnx_opset < onnx_plain.OPSET:
        raise DoesNotFitError(
            f"The model has ONNX opset {onnx_plain.OPSET}, and TensorRT {gpu.tensorrt} of "
            f"{target.name} reads up to {gpu.onnx_opset}.",
            hint="Correct [gpu] onnx_opset, or leave [gpu] tensorrt out of the target file.",
        )
    return {MODEL: onnx_plain.write(graph), SCRIPT: _script(target).encode()}


def _script(target: Target) -> str:
    from jinja2 import Environment, StrictUndefined

    assert target.gpu is not None
    version = tuple(int(part) for part in target.gpu.tensorrt.split("."))
    pools = version >= _POOLS_SINCE
    text = (resources.files("edgeflow.backends.tensorrt") / f"{SCRIPT}.j2").read_text("utf-8")
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(text)
    return template.render(
        target=target.name,
        tensorrt=target.gpu.tensorrt,
        fp16=target.gpu.fp16,
        most_mib=_MOST_MIB,
        least_mib=_LEAST_MIB,
        workspace_option="--memPoolSize=workspace:" if pools else "--workspace=",
    )
