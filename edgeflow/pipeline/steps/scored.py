"""Scores in the documents that stages hand to one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeflow.data.score import Score, ScoreName


def score_document(scores: Sequence[Score], images: int) -> dict[str, Any]:
    """Scores of so many samples as JSON."""
    return {"images": images, "scores": [[score.name.value, score.value] for score in scores]}


def read_scores(document: Mapping[str, Any]) -> tuple[Score, ...]:
    """The scores of a document that `score_document` made."""
    return tuple(Score(ScoreName(name), value) for name, value in document["scores"])
