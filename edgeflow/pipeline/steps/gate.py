"""Stage gate: the verdict over the answers and costs of the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import DeviceRun
from edgeflow.figures import Unit
from edgeflow.gate.scoring import Scoring, scoring_of
from edgeflow.gate.verdict import Check, CheckName, Evidence, Verdict, judge
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.compile import read_firmware
from edgeflow.pipeline.steps.data import read_postprocessing
from edgeflow.pipeline.steps.files import MODEL, read_arrays, read_document, write_document
from edgeflow.pipeline.steps.generate import read_graph
from edgeflow.pipeline.steps.run import ANSWERS, read_device_run
from edgeflow.pipeline.steps.scored import read_scores, score_document

VERDICT = "verdict.json"


def run(context: StageContext) -> None:
    """Judge; a negative verdict is written like a positive one."""
    answers = read_arrays(context.inputs["run"] / ANSWERS)
    device = read_device_run(context.inputs["run"])
    image = read_firmware(context.inputs["compile"])
    evidence = Evidence(
        expected=answers["expected"],
        device=answers["device"],
        host=answers.get("host"),
        labels=answers.get("labels"),
        instructions=int(device.instructions.max()),
        flash_bytes=image.flash_bytes,
        ram_bytes=image.ram_bytes + stack_bytes(device, image),
        scoring=read_scoring(context, answers["inputs"]),
    )
    write_verdict(judge(evidence, context.plan.config.budget), context.output)


def read_scoring(context: StageContext, inputs: NDArray[np.int8]) -> Scoring:
    """How the answers to `inputs` are read; the stage reads the data and the model."""
    graph = read_graph(context.find(MODEL))
    return scoring_of(graph, read_postprocessing(context.inputs["data"]), inputs)


def stack_bytes(device: DeviceRun, image: FirmwareImage) -> int:
    """The stack that was used, or all that is reserved where a device cannot know."""
    return image.stack_bytes if device.stack_bytes is None else device.stack_bytes


def write_verdict(verdict: Verdict, folder: Path) -> None:
    """Write a verdict; `read_verdict` gives it back."""
    checks = [
        {
            "name": check.name.value,
            "passed": check.passed,
            "value": check.value,
            "limit": check.limit,
            "unit": check.unit.value,
            "detail": check.detail,
        }
        for check in verdict.checks
    ]
    document = {"checks": checks, **score_document(verdict.scores, verdict.images)}
    write_document(folder / VERDICT, document)


def read_verdict(folder: Path) -> Verdict:
    """The verdict that `write_verdict` wrote."""
    document = read_document(folder / VERDICT)
    checks = tuple(
        Check(**{**row, "name": CheckName(row["name"]), "unit": Unit(row["unit"])})
        for row in document["checks"]
    )
    return Verdict(checks, read_scores(document), document["images"])
