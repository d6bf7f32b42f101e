"""Our wrapper around TensorFlow Lite Micro: the model's bytes and the API of generated firmware."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgeflow import __version__
from edgeflow.backends.firmware.c_text import comment
from edgeflow.backends.firmware.planner import tensor_bytes
from edgeflow.backends.firmware.source import LayerSymbol, SourceTree
from edgeflow.backends.tflm.checkout import Checkout
from edgeflow.backends.tflm.operators import FileOperator, file_operators, kinds, registrations
from edgeflow.errors import ModelError
from edgeflow.graph.ir import Graph, Tensor

if TYPE_CHECKING:
    from jinja2 import Environment

MODEL_DATA = "edgeflow_tflm_model.c"
API = "edgeflow_tflm_api.cc"
PROBE = "edgeflow_tflm_probe.cc"
PROBE_BYTES = 4
ALIGNMENT_BYTES = 16
DISPATCHER = "_ZN6tflite21MicroInterpreterGraph14InvokeSubgraphEi"

_ARENA = "edgeflow_tflm_arena.c"
_TEMPLATES = ("edgeflow_model.h", "edgeflow_tflm.h", "edgeflow_tflm.cc", API, PROBE, MODEL_DATA)
_BYTES_PER_LINE = 16


def generate(model: bytes, graph: Graph, checkout: Checkout) -> SourceTree:
    """The wrapper for a `.tflite` file; `graph` is what that file holds.

    The arena's size is not known before the interpreter has run: see `with_arena`.

    Raises UnsupportedOperatorError, and ModelError where input or output is not one int8 tensor.
    """
    source, target = _interface(graph)
    operators = file_operators(model)
    registered = registrations(kinds(operators), checkout)
    values = {
        "title": comment(graph.name),
        "version": __version__,
        "input_bytes": tensor_bytes(source),
        "output_bytes": tensor_bytes(target),
        "probe_input_bytes": PROBE_BYTES,
        "registrations": registered,
        "headers": sorted({r.header for r in registered if r.header}),
        "model_bytes": len(model),
        "model_rows": _rows(model),
    }
    files = {name: _environment().get_template(f"{name}.j2").render(values) for name in _TEMPLATES}
    tree = SourceTree(
        files=MappingProxyType(files),
        layers=tuple(_layers(operators, graph)),
        arena_bytes=0,
        weight_bytes=len(model),
        input_bytes=tensor_bytes(source),
        output_bytes=tensor_bytes(target),
    )
    return with_arena(tree, ALIGNMENT_BYTES)


def with_arena(source: SourceTree, arena_bytes: int) -> SourceTree:
    """The wrapper with an arena of a size."""
    text = (
        "/* The interpreter's arena. */\n\n"
        "extern unsigned char edgeflow_arena[];\n"
        "extern const unsigned int edgeflow_arena_bytes;\n\n"
        f"unsigned char edgeflow_arena[{arena_bytes}] __attribute__((aligned(16)));\n"
        f"const unsigned int edgeflow_arena_bytes = {arena_bytes};\n"
    )
    files: Mapping[str, str] = {**source.files, _ARENA: text}
    return replace(
        source, files=MappingProxyType(dict(sorted(files.items()))), arena_bytes=arena_bytes
    )


def probe(source: SourceTree) -> SourceTree:
    """The program that answers with the bytes of the arena that the interpreter uses."""
    files = {name: text for name, text in source.files.items() if name != API}
    return replace(
        source,
        files=MappingProxyType(files),
        layers=(),
        input_bytes=PROBE_BYTES,
        output_bytes=PROBE_BYTES,
    )


def model(source: SourceTree) -> SourceTree:
    """The program that runs the model."""
    files = {name: text for name, text in source.files.items() if name != PROBE}
    return replace(source, files=MappingProxyType(files))


def _interface(graph: Graph) -> tuple[Tensor, Tensor]:
    for role, names in (("input", graph.inputs), ("output", graph.outputs)):
        if len(names) != 1:
            raise ModelError(
                f"graph '{graph.name}' has {len(names)} {role}s; firmware takes exactly one",
                hint=f"Build a model of one {role}.",
            )
    return graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]


def _layers(operators: Sequence[FileOperator], graph: Graph) -> list[LayerSymbol]:
    """The interpreter calls one kernel for every operator, in their order.

    An operator that the graph folds into the node after it has no output there: size 0.
    """
    names = {node.outputs[0]: node.name for node in graph.nodes}
    return [
        LayerSymbol(
            symbol=f"tflm_layer_{index:02d}_{operator.kind.lower()}",
            node_name=names.get(operator.output, operator.output),
            kind=operator.kind,
            output_tensor=operator.output,
            offset_bytes=0,
            size_bytes=(
                tensor_bytes(graph.tensors[operator.output])
                if operator.output in graph.tensors
                else 0
            ),
            caller=DISPATCHER,
        )
        for index, operator in enumerate(operators)
    ]


def _rows(content: bytes) -> list[str]:
    pieces = (content[at : at + _BYTES_PER_LINE] for at in range(0, len(content), _BYTES_PER_LINE))
    return [" ".join(f"0x{byte:02x}," for byte in piece) for piece in pieces]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("edgeflow.backends.tflm", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
