"""The whole line on scikit-learn's digits: what `edgeflow build` does, for one target."""

from __future__ import annotations

from pathlib import Path

from benchmarks import litert
from benchmarks.measurement import Accuracy, Layer, Measurement, compare
from edgeflow.bundle.summary import Summary
from edgeflow.errors import VerdictError
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import resolve
from edgeflow.pipeline.steps import report, score_rows, summarize
from edgeflow.pipeline.steps.files import MODEL, read_arrays
from edgeflow.pipeline.steps.run import ANSWERS
from edgeflow.progress import Progress

MODEL_NAME = "digits (small)"


def measure(target: str, config: Path | None, run_dir: Path, progress: Progress) -> Measurement:
    """Build for `target` in `run_dir`, with the options of `config`; read what the build found out.

    Raises VerdictError where the gate refuses the artifact.
    """
    result = build(resolve(config, {"build": {"target": target}}), run_dir, progress)
    if result.refusal is not None:
        raise VerdictError(result.refusal.message, hint=result.refusal.hint)
    document = (result.outputs["report"] / report.SUMMARY).read_bytes()
    return _from_summary(Summary.model_validate_json(document), result)


def _from_summary(summary: Summary, result: BuildResult) -> Measurement:
    def value(name: str) -> float:
        return summary.figure(name).value

    answers = read_arrays(result.outputs["run"] / ANSWERS)
    compared = [("interpreter", answers["expected"]), ("native build", answers["host"])]
    if litert.is_installed():
        model = (result.outputs["quantize"] / MODEL).read_bytes()
        compared.append((litert.NAME, litert.outputs(model, answers["inputs"])))
    counted = next(
        row
        for row in summary.accuracies
        if (row.stage, row.split) == (score_rows.DEVICE, score_rows.TEST)
    )
    what = f"whole test set, {counted.images} images"
    stack = int(value("stack, high-water mark"))
    return Measurement(
        model=MODEL_NAME,
        target=summary.target,
        inputs=what,
        accuracy=Accuracy(counted.value, counted.images, what),
        comparisons=tuple(compare(name, answers["device"], other) for name, other in compared),
        notes=(),
        macs=sum(row.macs for row in summary.layers),
        instructions=value(summarize.MEAN_INSTRUCTIONS),
        flash_bytes=int(value(summarize.FLASH)),
        weight_bytes=sum(row.weight_bytes for row in summary.layers),
        arena_bytes=summary.arena_bytes,
        static_ram_bytes=int(value(summarize.RAM)) - stack,
        stack_bytes=stack,
        layers=tuple(
            Layer(
                row.name, row.operator, row.signature, row.macs, row.instructions, row.weight_bytes
            )
            for row in summary.layers
        ),
        kind=summary.layer_kind,
        device=summary.device,
    )
