"""Scores through the stages, as rows of the summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edgeflow.bundle.summary import AccuracyRow, EpochRow, FigureRow, ScoreRow
from edgeflow.data.score import Score, ScoreName
from edgeflow.devices.device import DeviceRun
from edgeflow.figures import FigureKind, Unit
from edgeflow.gate.scoring import anomaly_scores_of, score_answers
from edgeflow.gate.verdict import Verdict
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import FLOAT_SCORES, QUANTIZED_SCORES, read_document
from edgeflow.pipeline.steps.gate import read_scoring
from edgeflow.pipeline.steps.run import read_normal_scores
from edgeflow.pipeline.steps.scored import read_scores

DEVICE = "device"
INTERPRETER = "int8, interpreter"
FLOAT = "float"
TEST = "test"
VALIDATION = "validation"


def fields(
    context: StageContext, verdict: Verdict, device: DeviceRun, answers: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of the summary that hold scores: one for classification, one for other tasks."""
    rows = (*_on_host(context), *_of_answers(context, verdict, device, answers))
    accuracies = [row for row in rows if row.name is ScoreName.ACCURACY]
    left_out = {"name", "unit", "better"}
    return {
        "accuracies": tuple(AccuracyRow(**row.model_dump(exclude=left_out)) for row in accuracies),
        "scores": tuple(row for row in rows if row.name is not ScoreName.ACCURACY),
    }


def alarms(
    context: StageContext, device: DeviceRun, answers: Mapping[str, Any]
) -> Iterable[FigureRow]:
    """What a threshold finds that 95 % of the normal validation samples are below."""
    normal, marks = read_normal_scores(context.inputs["run"]), answers.get("labels")
    if normal is None or marks is None or device.outputs.shape != answers["expected"].shape:
        return
    found = anomaly_scores_of(device.outputs, read_scoring(context, answers["inputs"]))
    alarm = found > normal.percentile_95
    source = f"{device.source}; the threshold of {normal.percentile_95:.4g} is that of "
    source += f"{normal.samples} normal validation samples"
    for name, mark in (("anomalies found", 1), ("false alarms", 0)):
        yield FigureRow(
            name=f"{name}, threshold at 95 % of normal samples",
            value=float(alarm[marks == mark].mean()),
            unit=Unit.FRACTION,
            kind=device.kind,
            source=source,
        )


def epochs(context: StageContext) -> tuple[EpochRow, ...]:
    """Every epoch of training and fine-tuning."""
    return tuple(
        EpochRow.model_validate(row)
        for stage, name in (("train", FLOAT_SCORES), ("quantize", QUANTIZED_SCORES))
        if stage in context.inputs
        for row in read_document(context.inputs[stage] / name)["epochs"]
    )


def _on_host(context: StageContext) -> Iterable[ScoreRow]:
    """Those of the float and the fake-quantized network."""
    measured = FigureKind.MEASURED
    if "train" in context.inputs:
        trained = read_document(context.inputs["train"] / FLOAT_SCORES)
        source = "float network on this host"
        for split in (VALIDATION, TEST):
            found, images = read_scores(trained[split]), trained[split]["images"]
            yield from _rows(found, FLOAT, split, images, measured, source)
    if "quantize" in context.inputs:
        quantized = read_document(context.inputs["quantize"] / QUANTIZED_SCORES)
        source = "fake-quantized network on this host"
        for stage in ("post_training", "fine_tuned"):
            if quantized[stage] is not None:
                found, images = read_scores(quantized[stage]), quantized[stage]["images"]
                name = stage.replace("_", "-")
                yield from _rows(found, name, VALIDATION, images, measured, source)


def _of_answers(
    context: StageContext, verdict: Verdict, device: DeviceRun, answers: Mapping[str, Any]
) -> Iterable[ScoreRow]:
    """Those of the integer graph and of the device."""
    if not verdict.scores:
        return
    scoring = read_scoring(context, answers["inputs"])
    expected = score_answers(answers["expected"], answers.get("labels"), scoring)
    source, images = "integer graph in the interpreter", verdict.images
    yield from _rows(expected, INTERPRETER, TEST, images, FigureKind.MEASURED, source)
    yield from _rows(verdict.scores, DEVICE, TEST, images, device.kind, device.source)


def _rows(
    found: Iterable[Score], stage: str, split: str, images: int, kind: FigureKind, source: str
) -> Iterable[ScoreRow]:
    for score in found:
        yield ScoreRow(
            name=score.name,
            stage=stage,
            split=split,
            value=score.value,
            unit=score.unit,
            better=score.better,
            images=images,
            kind=kind,
            source=source,
        )
