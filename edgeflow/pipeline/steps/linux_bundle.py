"""Stage bundle for Linux: what won the race, only after a positive verdict."""

from __future__ import annotations

from edgeflow.gate.verdict import require
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.bundle import write
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.pipeline.steps.gate import read_verdict
from edgeflow.pipeline.steps.generate import SOURCE, read_graph, read_source
from edgeflow.pipeline.steps.linux_compile import read_compiled, read_program_files
from edgeflow.pipeline.steps.linux_race import read_chosen, read_chosen_row, read_gpu_files


def run(context: StageContext) -> None:
    """Assemble the bundle. Raises VerdictError when the gate refuses the artifact."""
    require(read_verdict(context.inputs["gate"]))
    from edgeflow.bundle.artifact import native_artifact, runtime_artifact

    race = context.inputs["race"]
    chosen, gpu_files = read_chosen(race), read_gpu_files(race)
    if chosen is not None:
        write(context, runtime_artifact(chosen, read_chosen_row(race).version, gpu_files))
        return
    compiled = context.inputs["compile"]
    weight_bytes = read_source(compiled / SOURCE).weight_bytes
    sources, target = read_program_files(compiled), context.plan.target
    graph, program = read_graph(context.find(MODEL)), read_compiled(compiled)
    write(context, native_artifact(program, sources, graph, target, weight_bytes, gpu_files))
