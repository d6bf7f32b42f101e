"""Costs of operators that a profile has no row for, by a linear model for each operator kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from edgeflow.figures import FigureKind
from edgeflow.profiles.features import features
from edgeflow.profiles.schema import Profile, Row

Key = tuple[str, str]


@dataclass(frozen=True)
class Prediction:
    """The cost of an operator in the profile's unit.

    `in_range` says that it is a row of the profile, or that no term of the model is larger than in
    any row of its kind.
    """

    value: float
    kind: FigureKind
    in_range: bool


@dataclass(frozen=True, eq=False)
class KindModel:
    """Coefficients of the terms of one operator kind at one precision, none of them negative.

    `largest` are the terms' largest values in the rows. `held_out_error` is the median over the
    rows of the relative error of a model made without that row; None for fewer than three rows.
    """

    coefficients: tuple[float, ...]
    largest: tuple[float, ...]
    rows: int
    held_out_error: float | None


@dataclass(frozen=True, eq=False)
class CostModel:
    """Rows by key, and a model for each operator kind and precision that has rows."""

    rows: Mapping[Key, float]
    kind: FigureKind
    models: Mapping[Key, KindModel]


def fit_cost_model(profile: Profile, more: Iterable[Row] = ()) -> CostModel:
    """The model of a profile; `more` are rows of the same target, kind and unit beside it."""
    rows = {row.key: row for row in (*profile.rows, *more)}
    by_kind: dict[Key, list[Row]] = defaultdict(list)
    for row in rows.values():
        by_kind[features(row.signature).kind, row.precision].append(row)
    return CostModel(
        rows={key: row.median for key, row in rows.items()},
        kind=profile.header.kind,
        models={key: _model(found) for key, found in by_kind.items()},
    )


def predict(model: CostModel, signature: str, precision: str) -> Prediction | None:
    """The row's cost, or what the model of its kind gives; None where its kind has no rows."""
    known = model.rows.get((signature, precision))
    if known is not None:
        return Prediction(known, model.kind, True)
    read = features(signature)
    kind = model.models.get((read.kind, precision))
    if kind is None:
        return None
    terms = read.terms()
    value = float(np.dot(terms, kind.coefficients))
    inside = all(term <= most for term, most in zip(terms, kind.largest, strict=True))
    return Prediction(value, FigureKind.ESTIMATED, inside)


def _model(rows: Sequence[Row]) -> KindModel:
    terms = np.array([features(row.signature).terms() for row in rows], dtype=np.float64)
    costs = np.array([row.median for row in rows], dtype=np.float64)
    errors = [
        abs(float(terms[i] @ _fit(np.delete(terms, i, 0), np.delete(costs, i))) - costs[i])
        / max(costs[i], _least(costs))
        for i in range(len(rows))
        if len(rows) >= 3
    ]
    return KindModel(
        coefficients=tuple(float(c) for c in _fit(terms, costs)),
        largest=tuple(float(t) for t in terms.max(axis=0)),
        rows=len(rows),
        held_out_error=float(np.median(errors)) if errors else None,
    )


def _least(costs: NDArray[np.float64]) -> float:
    """What errors of costs near zero are relative to: one instruction, or the least of seconds."""
    positive = costs[costs > 0]
    return min(1.0, float(positive.min())) if positive.size else 1.0


def _fit(terms: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares of relative errors with coefficients of zero and above.

    Relative, because layers differ by a factor of 1000 and all of them shall be right; not
    negative, because no work takes instructions away.
    """
    scale = 1.0 / np.maximum(costs, _least(costs))
    size = np.maximum(terms.max(axis=0), 1.0)
    found, _ = nnls(terms / size * scale[:, None], costs * scale)
    coefficients: NDArray[np.float64] = found / size
    return coefficients
