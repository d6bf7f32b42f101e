"""Networks that a user brings: a Python import path, an `.onnx` or a `.tflite` file.

Python code named by the user is run, files are only parsed: nothing is ever unpickled.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.errors import GraphError, ModelError
from edgeflow.exchange.limits import MAX_MODEL_BYTES

if TYPE_CHECKING:
    from torch import Tensor, nn

    from edgeflow.graph.ir import Graph

ShapeHWC = tuple[int, int, int]

ACCEPTED = (
    "accepted are the name of a registered network, package.module:attribute (an nn.Module, or a "
    "callable that gives one), model.onnx (float or QDQ) and model.tflite (int8)"
)
WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth")


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """A float network, [N, C, H, W] in; `input_shape_hwc` and `outputs` where the model says them.

    `pretrained` is True when its weights come from a file, or from the user's own object.
    """

    module: nn.Module
    input_shape_hwc: ShapeHWC | None
    outputs: int | None
    pretrained: bool


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A network that is quantized already."""

    graph: Graph


UserModel = FloatNetwork | IntegerNetwork


def load(
    reference: str,
    input_shape_hwc: ShapeHWC,
    outputs: int,
    weights: Path | None = None,
) -> UserModel:
    """What a user names as the model.

    `input_shape_hwc` and `outputs` are those of the data; a callable that takes arguments is called
    with both. `weights` (.safetensors, or .pt and .pth holding a state dictionary of tensors) are
    loaded into a network from Python; without it, nothing is.

    Raises:
        ModelError: the file is missing, damaged or of another kind, the import or the call fails,
            the object is no nn.Module, or the weights do not fit.
    """
    if ":" in reference and Path(reference).suffix.lower() not in _READERS:
        return _from_python(reference, input_shape_hwc, outputs, weights)
    path = Path(reference).expanduser()
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelError(f"{reference!r} is no model that edgeflow can load", hint=ACCEPTED)
    if weights is not None:
        raise ModelError(
            f"{path} holds its own weights; {weights} cannot be loaded into it",
            hint="weights go with a network given as package.module:attribute",
        )
    try:
        return reader(_content(path))
    except (ModelError, GraphError) as error:
        # Readers see bytes; which file they are from is known here.
        if str(path) in error.message:
            raise
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error


def check_answers(
    reference: str, module: nn.Module, input_shape_hwc: ShapeHWC, outputs: int
) -> None:
    """Run a network once on zeros of the data's shape.

    Raises:
        ModelError: its code fails on that shape, or the answer is not [N, outputs].
    """
    import torch

    height, width, channels = input_shape_hwc
    shape = (2, channels, height, width)
    training = module.training
    module.eval()
    with torch.no_grad():
        answer = _running_user_code(
            lambda: module(torch.zeros(shape)), f"running {reference} on an input of shape {shape}"
        )
    module.train(training)
    if not isinstance(answer, torch.Tensor):
        raise ModelError(
            f"{reference} gives a {type(answer).__name__} for an input of shape {shape}",
            hint=f"it must give one tensor of outputs, [N, {outputs}]",
        )
    if tuple(answer.shape) != (2, outputs):
        raise ModelError(
            f"{reference} gives outputs of shape {tuple(answer.shape)} for an input of shape "
            f"{shape}, and the data asks for {outputs} outputs",
            hint=f"the last layer must give [N, {outputs}]: a logit a class, or a value a target",
        )


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_MODEL_BYTES:
            raise ModelError(
                f"{path} has {size} bytes, more than the {MAX_MODEL_BYTES} allowed",
                hint="edgeflow deploys to microcontrollers; bring a smaller model",
            )
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"model file {path} cannot be read: {reason}", hint=ACCEPTED) from None


def _read_onnx(content: bytes) -> UserModel:
    from edgeflow.exchange import onnx_float, onnx_model, onnx_qdq

    if onnx_model.quantizes(onnx_model.parse(content)):
        return IntegerNetwork(onnx_qdq.read(content))
    model = onnx_float.read(content)
    return FloatNetwork(model.module, model.input_shape_hwc, model.outputs, pretrained=True)


def _read_tflite(content: bytes) -> UserModel:
    from edgeflow.exchange import tflite

    return IntegerNetwork(tflite.read(content))


_READERS: Mapping[str, Callable[[bytes], UserModel]] = {
    ".onnx": _read_onnx,
    ".tflite": _read_tflite,
}


def _from_python(
    reference: str, input_shape_hwc: ShapeHWC, outputs: int, weights: Path | None
) -> FloatNetwork:
    from torch import nn

    found = imported(reference)
    given = isinstance(found, nn.Module)
    module = found if given else _called(reference, found, input_shape_hwc, outputs)
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"{reference} gives a {type(module).__name__}, not a torch.nn.Module",
            hint="name an nn.Module, its class, or a function (input_shape_hwc, outputs) that "
            "returns one",
        )
    _check_initialized(reference, module)
    if weights is not None:
        _load_weights(module, weights)
    return FloatNetwork(module, None, None, pretrained=given or weights is not None)


def _check_initialized(reference: str, module: nn.Module) -> None:
    from torch.nn.parameter import is_lazy

    for name, value in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(value):
            raise ModelError(
                f"{reference}: {name} has no shape yet (a lazy layer of torch)",
                hint="state the layer's input size, or run the network once before returning it",
            )


def imported(reference: str) -> Any:
    """The attribute that `package.module:attribute` names; runs the module's code.

    Raises ModelError where there is none or its code fails.
    """
    name, _, attributes = reference.partition(":")
    parts = attributes.split(".")
    if not all(part.isidentifier() for part in (*name.split("."), *parts)):
        raise ModelError(
            f"{reference!r} is not of the form package.module:attribute", hint=ACCEPTED
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    found: Any = _running_user_code(lambda: importlib.import_module(name), f"importing {name}")
    for part in parts:
        try:
            found = getattr(found, part)
        except AttributeError:
            public = sorted(k for k in vars(sys.modules[name]) if not k.startswith("_"))
            raise ModelError(
                f"module {name} has no attribute {attributes!r}",
                hint=f"it has {', '.join(public[:20]) or 'no public names'}",
            ) from None
    return found


def _called(reference: str, found: Any, input_shape_hwc: ShapeHWC, outputs: int) -> Any:
    if not callable(found):
        raise ModelError(
            f"{reference} is a {type(found).__name__}, neither an nn.Module nor callable",
            hint=ACCEPTED,
        )
    arguments = (input_shape_hwc, outputs) if _takes_arguments(found) else ()
    return _running_user_code(lambda: found(*arguments), f"calling {reference}")


def _takes_arguments(function: Callable[..., Any]) -> bool:
    """Whether a call without arguments would fail, or two arguments are welcome."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    parameters = signature.parameters.values()
    if any(p.default is p.empty and p.kind in positional for p in parameters):
        return True
    return {"input_shape_hwc", "outputs"} <= set(signature.parameters)


def _running_user_code(action: Callable[[], Any], doing: str) -> Any:
    """Run code that is not edgeflow's; whatever it raises becomes a ModelError."""
    try:
        return action()
    except (Exception, SystemExit) as error:
        last = traceback.format_exception_only(error)[-1].strip()
        raise ModelError(
            f"{doing} failed: {last}{_place(error)}", hint="the model's own Python code raised this"
        ) from error


def _place(error: BaseException) -> str:
    """Where in the user's code an error arose, if it says so."""
    if isinstance(error, SyntaxError):
        return f" ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if len(frames) > 2 else ""


def _load_weights(module: nn.Module, path: Path) -> None:
    if path.suffix.lower() not in WEIGHT_SUFFIXES:
        raise ModelError(
            f"weights {path}: a file of another kind", hint=f"accepted are {WEIGHT_SUFFIXES}"
        )
    try:
        module.load_state_dict(_state(path))
    except RuntimeError as error:
        lines = " ".join(line.strip() for line in str(error).splitlines())
        raise ModelError(
            f"weights {path} do not fit the network: {lines[:400]}",
            hint="names and shapes must be those of the network's state_dict()",
        ) from None


def _state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, read without unpickling objects."""
    import torch

    content = _content(path)
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load as load_safetensors

            return load_safetensors(content)
        with path.open("rb") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"weights {path} cannot be read: {reason[:300]}",
            hint="save tensors only: safetensors.torch.save_file(module.state_dict(), path), or "
            "torch.save(module.state_dict(), path); pickled modules are never loaded",
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError(
            f"weights {path} hold no state dictionary of tensors",
            hint="torch.save(module.state_dict(), path)",
        )
    return state
