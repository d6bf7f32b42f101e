"""What training found out, as rows of the summary."""

from __future__ import annotations

from typing import Any

from edgeflow.bundle.search_rows import SearchRow
from edgeflow.bundle.summary import CheckRow, GrowthRow, NetworkRow, PruningRow
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import GROWTH, NETWORKS, PRUNING, SANITY, SEARCH, read_document


def fields(context: StageContext) -> dict[str, Any]:
    """The fields of the summary of checks, growth, networks chosen from, pruning and search."""
    sanity, growth, networks, pruning = (
        _document(context, name) for name in (SANITY, GROWTH, NETWORKS, PRUNING)
    )
    found: dict[str, Any] = {}
    if sanity is not None:
        found["sanity"] = tuple(CheckRow.model_validate(row) for row in sanity)
    if growth is not None:
        points = growth["points"]
        found["growth"] = tuple(GrowthRow(**point.pop("cost"), **point) for point in points)
        found["growth_stopped"] = growth["stopped"]
    if networks is not None:
        found["networks"] = tuple(
            NetworkRow(
                seed=row["seed"],
                learning_rate=row["learning_rate"],
                score=row["validation"],
                chosen=networks["chosen"] == {k: row[k] for k in ("learning_rate", "seed")},
            )
            for row in networks["networks"]
        )
    searched = context.inputs["search"] / SEARCH if "search" in context.inputs else None
    if searched is not None:
        found["search"] = _search(read_document(searched))
    if pruning is not None:
        found["pruning"] = PruningRow.model_validate(pruning)
    return found


def _search(document: dict[str, Any]) -> SearchRow:
    correlated = document["correlation"] or {"coefficient": None, "networks": 0}
    counted = dict(document["counted"])
    kind = counted.pop("kind")
    kept = ("cells", "score", "bound", "gap", "status", "solutions", "predicted", "costs_kind")
    counts = ("operators", "operators_predicted", "operators_beyond", "rounds", "front")
    return SearchRow.model_validate(
        {
            **{name: document[name] for name in (*kept, *counts)},
            "counted": counted,
            "counted_kind": kind,
            "correlation": correlated["coefficient"],
            "correlated_networks": correlated["networks"],
        }
    )


def _document(context: StageContext, name: str) -> Any:
    """What the stage train wrote under a name; None where it did not, or there is no such stage."""
    path = context.inputs["train"] / name if "train" in context.inputs else None
    return read_document(path) if path is not None and path.is_file() else None
