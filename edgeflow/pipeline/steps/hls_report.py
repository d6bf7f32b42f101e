"""Stage report for high-level synthesis: the summary of a build whose artifact is a project."""

from __future__ import annotations

from collections.abc import Iterable

from edgeflow import __version__
from edgeflow.backends.hls.artifact import HlsProject
from edgeflow.bundle.summary import CheckRow, FigureRow, LayerRow, Summary
from edgeflow.figures import FigureKind, Unit
from edgeflow.graph.ir import Graph, OpKind
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps import score_rows, training_rows
from edgeflow.pipeline.steps.data import DESCRIPTION, read_postprocessing
from edgeflow.pipeline.steps.files import MODEL, read_arrays, read_document
from edgeflow.pipeline.steps.gate import read_verdict
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.hls_generate import read_hls_project
from edgeflow.pipeline.steps.report import write_report
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run


def run(context: StageContext) -> None:
    """Write summary and report, for positive and negative verdicts alike."""
    write_report(_summarize(context), context.output)


def _summarize(context: StageContext) -> Summary:
    target, inputs = context.plan.target, context.inputs
    graph, project = read_graph(context.find(MODEL)), read_hls_project(inputs["generate"])
    device, verdict = read_device_run(inputs["run"]), read_verdict(inputs["gate"])
    answers = read_arrays(inputs["run"] / ANSWERS)
    return Summary(
        schema_version=1,
        edgeflow_version=__version__,
        model=context.plan.model_name,
        data=read_document(inputs["data"] / DESCRIPTION)["name"],
        target=target.name,
        target_description=target.description,
        device=device.source,
        images=verdict.images,
        figures=(*score_rows.alarms(context, device, answers), *_sizes(graph, project)),
        task=read_postprocessing(inputs["data"]).task,
        **score_rows.fields(context, verdict, device, answers),
        layers=tuple(_layers(graph)),
        overhead_instructions=0.0,
        layer_kind=FigureKind.SIMULATED,
        arena_bytes=0,
        arena_lower_bound_bytes=0,
        arena_proven_optimal=False,
        regions=(),
        checks=tuple(
            CheckRow(name=check.name.value, passed=check.passed, detail=check.detail)
            for check in verdict.checks
        ),
        epochs=score_rows.epochs(context),
        **training_rows.fields(context),
        engine="edgeflow",
        remark=_remark(graph, project),
    )


def _sizes(graph: Graph, project: HlsProject) -> Iterable[FigureRow]:
    from edgeflow.graph import cost

    yield FigureRow(
        name="weights, scales and biases",
        value=-(-project.constant_bits // 8),
        unit=Unit.BYTES,
        kind=FigureKind.MEASURED,
        source="the project's types",
    )
    yield FigureRow(
        name="products of an inference",
        value=sum(cost.macs(graph, node) for node in graph.nodes),
        unit=Unit.COUNT,
        kind=FigureKind.MEASURED,
        source="the integer graph",
    )


def _layers(graph: Graph) -> Iterable[LayerRow]:
    from edgeflow.backends.firmware.sharing import tensor_bytes
    from edgeflow.backends.fpga.network import accelerated
    from edgeflow.graph import cost

    nodes = [node for node in accelerated(graph) if node.kind is not OpKind.RESHAPE]
    for number, node in enumerate(nodes, 1):
        output = graph.tensors[node.outputs[0]]
        yield LayerRow(
            name=node.name,
            symbol=f"layer{number}_{node.kind.lower()}",
            operator=node.kind.value,
            signature=cost.signature(graph, node),
            output_shape=output.shape[1:],
            macs=cost.macs(graph, node),
            weight_bytes=cost.weight_bytes(graph, node),
            output_bytes=tensor_bytes(output),
        )


def _remark(graph: Graph, project: HlsProject) -> str:
    from edgeflow.backends.fpga.network import accelerated

    host = graph.nodes[len(accelerated(graph)) :]
    parts = [
        f"the project's C++ was compiled and run here; {project.compiler} was not, so that nothing "
        "is said of time and resources"
    ]
    if host:
        kinds = ", ".join(node.kind.value for node in host)
        parts.append(f"the host computes {kinds} from the answer")
    return "; ".join(parts)
