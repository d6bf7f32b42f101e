"""Scores of int8 answers: what the device said, read as what the task asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.postprocessing import NormalScores, OutputGrid, Postprocessing
from edgeflow.data.score import Score, ScoreName, Truth, accuracy, anomaly_scores, scores
from edgeflow.data.task import Task
from edgeflow.graph.ir import Graph, Tensor

Int8 = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Scoring:
    """How int8 answers are read. Classes need nothing of it: the largest answer counts.

    `inputs` int8 [N, ...] on `input_grid` are what an autoencoder had to rebuild.
    """

    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    inputs: Int8 | None = None
    input_grid: OutputGrid | None = None


def scoring_of(graph: Graph, postprocessing: Postprocessing, inputs: Int8) -> Scoring:
    """The scoring of a model's answers to `inputs`, with the grids that the graph has."""
    grid = output_grid(graph)
    return Scoring(
        postprocessing.model_copy(update={"output": grid}),
        inputs,
        _grid(graph.tensors[graph.inputs[0]]),
    )


def output_grid(graph: Graph) -> OutputGrid:
    """The grid of a graph's one output."""
    return _grid(graph.tensors[graph.outputs[0]])


def score_answers(
    answers: Int8, labels: NDArray[Any] | None, scoring: Scoring
) -> tuple[Score, ...]:
    """The scores of answers int8 [N, outputs]; none without labels, or for another shape of them.

    For regression `labels` are target values in their unit.
    """
    task = scoring.postprocessing.task
    if labels is None:
        return ()
    if task is Task.CLASSIFICATION:
        return (Score(ScoreName.ACCURACY, accuracy(answers, labels)),)
    flat = answers.reshape(len(answers), -1)
    inputs = None
    wanted: tuple[int, ...] = labels.shape
    if task is Task.ANOMALY:
        assert scoring.inputs is not None
        assert scoring.input_grid is not None
        inputs = real(scoring.inputs.reshape(len(scoring.inputs), -1), scoring.input_grid)
        wanted = inputs.shape
    if flat.shape != wanted:
        return ()
    assert scoring.postprocessing.output is not None
    truth = Truth(task, labels, inputs, scoring.postprocessing.target)
    return scores(real(flat, scoring.postprocessing.output), truth)


def anomaly_scores_of(answers: Int8, scoring: Scoring) -> NDArray[np.float64]:
    """The anomaly score of each sample, from int8 answers [N, ...] to the scoring's inputs."""
    assert scoring.inputs is not None
    assert scoring.input_grid is not None
    assert scoring.postprocessing.output is not None
    count = len(scoring.inputs)
    outputs = real(answers.reshape(count, -1), scoring.postprocessing.output)
    return anomaly_scores(outputs, real(scoring.inputs.reshape(count, -1), scoring.input_grid))


def normal_scores(answers: Int8, scoring: Scoring) -> NormalScores:
    """What the anomaly scores of normal samples are like."""
    found = anomaly_scores_of(answers, scoring)
    return NormalScores(
        samples=len(found),
        mean=float(found.mean()),
        percentile_95=float(np.percentile(found, 95)),
        largest=float(found.max()),
    )


def real(values: Int8, grid: OutputGrid) -> NDArray[np.float64]:
    """Real values of int8 ones."""
    result: NDArray[np.float64] = (values.astype(np.float64) - grid.zero_point) * grid.scale
    return result


def _grid(tensor: Tensor) -> OutputGrid:
    assert tensor.quantization is not None
    scales, zero_points = tensor.quantization.scales, tensor.quantization.zero_points
    return OutputGrid(scale=float(np.float32(scales[0])), zero_point=int(zero_points[0]))
