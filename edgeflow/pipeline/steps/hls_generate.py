"""Stage generate for high-level synthesis: the integer graph as a project of hls4ml."""

from __future__ import annotations

from pathlib import Path

from edgeflow.backends.hls.artifact import HlsProject, folder_files, project_of, read_project
from edgeflow.backends.hls.project import HlsPart, project_files
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import MODEL
from edgeflow.pipeline.steps.generate import read_graph, require_legal
from edgeflow.progress import ProgressEvent

PROJECT_FOLDER = "project"


def run(context: StageContext) -> None:
    """Write the project for the target's compiler."""
    from edgeflow.backends.hls.full import for_compiler
    from edgeflow.backends.hls.network import hls_network

    target = context.plan.target
    assert target.hls is not None
    graph = read_graph(context.find(MODEL))
    require_legal(graph, target)
    context.progress(ProgressEvent("generate", "scales and types that are exact"))
    network = for_compiler(hls_network(graph), target.hls.compiler)
    part = HlsPart(target.hls.compiler, target.hls.device, target.core.clock_hz)
    context.progress(ProgressEvent("generate", f"project for {target.hls.compiler}"))
    project = project_of(project_files(network, part), network, target.hls.compiler)
    folder = context.output / PROJECT_FOLDER
    for path, content in folder_files(project).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def read_hls_project(folder: Path) -> HlsProject:
    """The project that this stage wrote."""
    root = folder / PROJECT_FOLDER
    return read_project(
        {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
    )
