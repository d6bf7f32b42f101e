"""Stage generate: the integer graph as sources."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edgeflow.backends.engine import Engine
from edgeflow.backends.firmware.options import RowExecution
from edgeflow.backends.firmware.segment import Segment
from edgeflow.backends.firmware.source import LayerSymbol, SourceTree
from edgeflow.errors import UnsupportedOperatorError
from edgeflow.graph.ir import DType, Graph, OpKind
from edgeflow.pipeline.engines import ENGINES
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import MODEL, read_document, write_document
from edgeflow.targets.schema import MemoryKind, Target, TargetFamily

SOURCE = "source.json"
SEGMENTS = "segments.json"

# What else lies in RAM beside the arena: the stack, which is counted later, and a few words.
_STACK_AND_STATICS_BYTES = 448


def run(context: StageContext) -> None:
    """Generate the sources of the model."""
    model = context.find(MODEL)
    graph = read_firmware_graph(model)
    target, options = context.plan.target, context.plan.config.build.engine_options()
    require_legal(graph, target)
    segments = _segments(context, graph) if options.engine is Engine.EDGEFLOW else ()
    source = ENGINES[options.engine].generate(model.read_bytes(), graph, target, options, segments)
    write_document(context.output / SEGMENTS, [asdict(segment) for segment in segments])
    write_document(context.output / SOURCE, source_document(source))


def _segments(context: StageContext, graph: Graph) -> tuple[Segment, ...]:
    """What runs row by row, by the option and the RAM that there is.

    Linux has memory enough, so that there layers run so only where it is asked for.
    """
    from edgeflow.backends.firmware.choice import choose_segments

    target, config = context.plan.target, context.plan.config
    if target.family is TargetFamily.LINUX and config.memory.row_by_row is RowExecution.AUTO:
        return ()
    limit = arena_limit_bytes(target, config.budget.ram_bytes)
    return choose_segments(graph, target.firmware.kernel_set, config.memory.row_by_row, limit)


def arena_limit_bytes(target: Target, ram_budget_bytes: int | None) -> int:
    """What the target's RAM, and a budget of static data and used stack, leave for the arena."""
    reserved = max(target.firmware.stack_bytes, _STACK_AND_STATICS_BYTES)
    limit = target.region(MemoryKind.RAM).size_bytes - reserved
    if ram_budget_bytes is not None:
        limit = min(limit, ram_budget_bytes - _STACK_AND_STATICS_BYTES)
    return max(limit, 0)


def read_segments(path: Path) -> tuple[Segment, ...]:
    """The segments of a document that this stage wrote."""
    return tuple(Segment(**row) for row in read_document(path))


def read_graph(path: Path) -> Graph:
    """The integer graph of a model file, in canonical form."""
    from edgeflow.exchange import tflite
    from edgeflow.graph.canonical import canonicalize

    return canonicalize(tflite.read(path.read_bytes()))


def read_firmware_graph(path: Path) -> Graph:
    """The integer graph of a model file as firmware computes it: the same answers, less work."""
    from edgeflow.graph.constant_channels import without_constant_channels

    return without_constant_channels(read_graph(path))


def require_legal(graph: Graph, target: Target) -> None:
    """Raise UnsupportedOperatorError for the first node that the target does not run."""
    legal = {operator.kind: operator for operator in target.operators}
    for node in graph.nodes:
        if node.kind not in legal:
            raise UnsupportedOperatorError(
                f"node {node.name!r}: {target.name} does not run {node.kind}",
                hint=f"operators of {target.name}: {', '.join(sorted(legal))}",
            )
        constants = [graph.tensors[name] for name in node.inputs if graph.tensors[name].is_constant]
        widths = {tensor.bits for tensor in constants if tensor.dtype is DType.INT8}
        unfit = sorted(widths - set(legal[node.kind].weight_bits))
        if unfit:
            raise UnsupportedOperatorError(
                f"node {node.name!r}: {target.name} does not run {node.kind} with weights of "
                f"{unfit[0]} bits",
                hint=f"weight bits there: {', '.join(map(str, legal[node.kind].weight_bits))}",
            )


def source_document(source: SourceTree) -> dict[str, object]:
    """A source tree as a JSON document."""
    return {
        "files": dict(source.files),
        "layers": [asdict(layer) for layer in source.layers],
        "arena_bytes": source.arena_bytes,
        "weight_bytes": source.weight_bytes,
        "input_bytes": source.input_bytes,
        "output_bytes": source.output_bytes,
    }


def read_source(path: Path) -> SourceTree:
    """The source tree of a document that this stage wrote."""
    document = read_document(path)
    layers = tuple(
        LayerSymbol(**{**row, "kind": OpKind(row["kind"])}) for row in document.pop("layers")
    )
    return SourceTree(layers=layers, **document)
