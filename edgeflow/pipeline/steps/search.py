"""Stage search: the choice of candidates that keeps the budget, and the front around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgeflow.pipeline.network_cost import Deployment, count_graph
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.data import read_dataset
from edgeflow.pipeline.steps.files import SEARCH, write_document
from edgeflow.pipeline.steps.pool import (
    pool_options,
    read_pool,
    read_scores,
    read_space,
    read_teacher_network,
)
from edgeflow.progress import ProgressEvent

if TYPE_CHECKING:
    from edgeflow.grow.cost import DeviceCost, Limits
    from edgeflow.pipeline.search_costs import SpaceCosts
    from edgeflow.pipeline.searching import Answer, Question
    from edgeflow.search.space import Choice, Space


def run(context: StageContext) -> None:
    """Write the choice, how it is proven, what it costs, and the front with its baselines."""
    from edgeflow.pipeline.search_costs import candidate_costs, target_profile
    from edgeflow.pipeline.searching import Question, search
    from edgeflow.search.assemble import assembled_on_grids
    from edgeflow.search.scores import network_losses

    dataset = read_dataset(context.inputs["data"])
    around, teacher = read_space(context, dataset), read_teacher_network(context, dataset)
    pool, options = read_pool(context, dataset), context.plan.config.search
    plan = context.plan
    deployment = Deployment(
        plan.target,
        around.fixed_weight_bits,
        plan.config.memory.row_by_row,
        plan.config.budget.ram_bytes,
    )
    costs = candidate_costs(around, deployment, target_profile(plan.target), context.progress)

    def loss(choice: Choice) -> float:
        network = assembled_on_grids(around, choice, teacher, pool)
        return float(network_losses(iter([network]), dataset, pool_options(context))[0])

    question = Question(
        space=around,
        scores=read_scores(context),
        costs=costs.costs,
        limits=_limits(context),
        solutions=options.solutions,
        overlap=options.overlap,
        loss=loss,
        count=lambda choice: _count(around, choice, deployment),
    )
    answer = search(question, context.progress)
    document = _answer(question, answer, costs)
    document["front"] = _front(question, options.pareto_points, loss)
    document["correlation"] = _correlation(question, document)
    write_document(context.output / SEARCH, document)
    context.progress(
        ProgressEvent(
            "search",
            f"{around.size:,} candidates in {len(around.cells)} cells: "
            f"{answer.counted.instructions:,} instructions",
        )
    )


def _limits(context: StageContext) -> Limits:
    from edgeflow.grow.cost import Limits

    budget = context.plan.config.budget
    return Limits(budget.instructions, budget.flash_bytes, budget.ram_bytes)


def _count(around: Space, choice: Choice, deployment: Deployment) -> DeviceCost | None:
    from edgeflow.lower.untrained import untrained_graph
    from edgeflow.search.space import assembly

    found = assembly(around, choice)
    return count_graph(untrained_graph(found.spec, found.weight_bits), deployment)


def _answer(question: Question, answer: Answer, costs: SpaceCosts) -> dict[str, Any]:
    best = answer.looked[0]
    solution = best.solution
    chosen = zip(question.space.cells, solution.choice, strict=True)
    return {
        "choice": list(solution.choice),
        "cells": [
            {
                "cell": cell.index,
                "was": cell.candidates[0].name,
                "chosen": cell.candidates[index].name,
                "candidates": len(cell.candidates),
                "score": float(question.scores[number][index]),
            }
            for number, (cell, index) in enumerate(chosen)
        ],
        "score": solution.score,
        "bound": solution.bound,
        "gap": solution.gap,
        "status": solution.status.value,
        "solutions": [
            {"loss": each.loss, "score": each.solution.score, "exceeds": each.exceeds}
            for each in answer.looked
        ],
        "predicted": dict(best.predicted),
        "counted": {**asdict(answer.counted), "kind": answer.counted.kind.value},
        "rounds": answer.rounds,
        "costs_kind": costs.kind.value,
        "operators": costs.operators,
        "operators_predicted": costs.predicted,
        "operators_beyond": costs.beyond,
    }


def _front(
    question: Question, points: int, loss: Callable[[Choice], float]
) -> list[dict[str, Any]]:
    """Solutions for other budgets, and what needs no search, with their measured losses."""
    from dataclasses import replace

    from edgeflow.pipeline.searching import predicted
    from edgeflow.search.baselines import baselines
    from edgeflow.search.pareto import front

    if not points:
        return []
    others = replace(question.limits, instructions=None)
    solved = front(question.space, question.scores, question.costs, others, points)
    named = [("search", solution.choice) for solution in solved]
    named += [(each.name, each.choice) for each in baselines(question.space)]
    return [
        {
            "name": name,
            "instructions": predicted(question.costs, choice)["instructions"],
            "loss": loss(choice),
            "score": _score(question, choice),
        }
        for name, choice in named
    ]


def _score(question: Question, choice: Choice) -> float:
    return float(sum(own[i] for own, i in zip(question.scores, choice, strict=True)))


def _correlation(question: Question, document: dict[str, Any]) -> dict[str, Any] | None:
    """Of the sums of scores with the losses of all networks that were put together."""
    from edgeflow.search.correlation import correlation

    pairs = [(row["score"], row["loss"]) for row in (*document["solutions"], *document["front"])]
    if len(pairs) < 3:
        return None
    return asdict(correlation([score for score, _ in pairs], [loss for _, loss in pairs]))
