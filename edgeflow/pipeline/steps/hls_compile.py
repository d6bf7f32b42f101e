"""Stage compile for high-level synthesis: the project's C++ as a program for this machine."""

from __future__ import annotations

from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.hls_generate import read_hls_project
from edgeflow.progress import ProgressEvent

EMULATION = "emulate"


def run(context: StageContext) -> None:
    """Compile the emulation."""
    from edgeflow.devices.hls_emulation import build_emulation

    project = read_hls_project(context.inputs["generate"])
    context.progress(ProgressEvent("compile", f"C++ of the project for {project.compiler}"))
    (context.output / EMULATION).write_bytes(build_emulation(project))
