"""The widths of weights that a target runs."""

from __future__ import annotations

from edgeflow.graph.cost import WEIGHTED_KINDS
from edgeflow.targets.schema import Target


def weight_bits(target: Target) -> tuple[int, ...]:
    """Widths that every operator with weights of the target runs, the widest first."""
    widths = [set(o.weight_bits) for o in target.operators if o.kind in WEIGHTED_KINDS]
    return tuple(sorted(set.intersection(*widths), reverse=True))
