"""Stage bundle for high-level synthesis: the project, only after a positive verdict."""

from __future__ import annotations

from edgeflow.gate.verdict import require
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.bundle import write
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.pipeline.steps.gate import read_verdict
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.hls_generate import read_hls_project


def run(context: StageContext) -> None:
    """Assemble the bundle. Raises VerdictError when the gate refuses the artifact."""
    require(read_verdict(context.inputs["gate"]))
    from edgeflow.bundle.artifact import hls_artifact

    project = read_hls_project(context.inputs["generate"])
    graph = read_graph(context.find(MODEL))
    write(context, hls_artifact(project, graph, context.plan.target))
