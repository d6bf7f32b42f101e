"""Stage bundle for FPGAs: Verilog and bitstream, only after a positive verdict."""

from __future__ import annotations

from edgeflow.gate.verdict import require
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.bundle import write
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.pipeline.steps.fpga_compile import read_implementation
from edgeflow.pipeline.steps.fpga_generate import read_design
from edgeflow.pipeline.steps.gate import read_verdict
from edgeflow.pipeline.steps.generate import read_graph


def run(context: StageContext) -> None:
    """Assemble the bundle. Raises VerdictError when the gate refuses the artifact."""
    require(read_verdict(context.inputs["gate"]))
    from edgeflow.bundle.artifact import fpga_artifact

    design = read_design(context.inputs["generate"])
    found = read_implementation(context.inputs["compile"])
    graph = read_graph(context.find(MODEL))
    write(context, fpga_artifact(design, found, graph, context.plan.target))
