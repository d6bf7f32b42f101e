"""Comparisons of training become a table of every claim, and the commands that made it."""

from __future__ import annotations

from benchmarks.train.__main__ import _topics
from benchmarks.train.document import as_document
from benchmarks.train.frame import Better, Comparison, Effort, Measured
from benchmarks.train.markdown import TOPICS, comparisons

COMPARISON = Comparison(
    "grown is better",
    "arXiv 1",
    "digits",
    "test accuracy",
    Better.HIGHER,
    (Measured("grown", (0.9, 0.92), 1234, 1e9), Measured("fixed", (0.8, 0.83), 1200, 1e9)),
)


def test_every_topic_has_its_place_in_the_table() -> None:
    assert set(TOPICS) == set(_topics())


def test_a_row_says_claim_methods_sizes_and_verdict() -> None:
    document = as_document("python -m x", "0.1.0", Effort.FULL, {"growth": [COMPARISON]})
    text = comparisons(document)
    (row,) = [line for line in text.splitlines() if "grown is better" in line]
    assert "grown: 0.91 ± 0.014 (1,234)<br>fixed: 0.815 ± 0.021 (1,200)" in row
    assert row.endswith("| yes (+0.095) |")
    assert "Made by `python -m x`." in text
