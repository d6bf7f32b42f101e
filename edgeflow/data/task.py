"""What a network is asked for."""

from __future__ import annotations

from enum import StrEnum


class Task(StrEnum):
    """Kinds of answers; each has its own loss, score and number of outputs."""

    CLASSIFICATION = "classification"  # one class of several: as many logits as classes
    REGRESSION = "regression"  # numbers: as many outputs as columns of y
    ANOMALY = "anomaly"  # the input again; what is rebuilt badly is not like the training part
