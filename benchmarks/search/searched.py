"""What the searches of a scene start from, and the network that each of them finds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from benchmarks.search.counted import validation_accuracy
from benchmarks.search.goals import Goal, Resource, Runs
from benchmarks.search.scenes import SEEDS, Scene
from benchmarks.search.training import Contestant, from_scratch, integer_graph, trained
from edgeflow.backends.firmware.options import RowExecution
from edgeflow.grow.cost import DeviceCost, Limits
from edgeflow.lower.untrained import untrained_graph
from edgeflow.nets.network import NetworkSpec
from edgeflow.pipeline.network_cost import Deployment, count_graph
from edgeflow.pipeline.search_costs import SpaceCosts, candidate_costs, target_profile
from edgeflow.pipeline.searching import Answer, Question, search
from edgeflow.pipeline.target_bits import weight_bits
from edgeflow.progress import Progress
from edgeflow.search.assemble import assembled, assembled_on_grids, layer_weight_bits
from edgeflow.search.candidates import space
from edgeflow.search.correlation import correlation, sums
from edgeflow.search.infeasible import NoChoiceError
from edgeflow.search.pool import Pool, load, save, train_pool
from edgeflow.search.scores import network_losses, score_candidates
from edgeflow.search.space import Choice, Space, assembly, random_choice
from edgeflow.targets.schema import Target
from edgeflow.train.fit import TrainedNetwork

SOLUTIONS, OVERLAP = 8, 0.7
_RANDOM_NETWORKS = 40


@dataclass(frozen=True, eq=False)
class Material:
    """A trained teacher, the space around it, its pool and scores, and costs on the target."""

    scene: Scene
    target: Target
    teacher: nn.Module
    tutor: nn.Module
    teacher_accuracy: float
    space: Space
    pool: Pool
    scores: tuple[NDArray[np.float64], ...]
    costs: SpaceCosts

    @property
    def deployment(self) -> Deployment:
        """As builds are: row by row where it is almost free."""
        return Deployment(self.target, self.space.fixed_weight_bits, RowExecution.AUTO, None)

    def loss(self, choice: Choice) -> float:
        """The loss of a whole network of candidates on samples that none imitated."""
        network = assembled_on_grids(self.space, choice, self.teacher, self.pool)
        return float(network_losses(iter([network]), self.scene.dataset, self.scene.pool)[0])

    def count(self, choice: Choice) -> DeviceCost | None:
        """What a build of the untrained network takes."""
        found = assembly(self.space, choice)
        return count_graph(untrained_graph(found.spec, found.weight_bits), self.deployment)


def materials(
    scene: Scene, target: Target, folder: Path, progress: Progress
) -> tuple[Material, ...]:
    """What searches start from, for every teacher of a scene."""
    return tuple(material(scene, spec, target, folder, progress) for spec in scene.teachers)


def material(
    scene: Scene, spec: NetworkSpec, target: Target, folder: Path, progress: Progress
) -> Material:
    """Train a teacher and its pool, unless they lie in `folder`; scores and costs follow."""
    taught, tutor = _teachers(scene, spec, folder, progress)
    teacher = taught.network.eval()
    around = space(spec, target.simd.channel_granularity, weight_bits(target))
    key = _key(around, scene)
    path = folder / f"pool-{key}.safetensors"
    if path.is_file():
        pool = load(around, path)
    else:
        unfinished = folder / f"pool-{key}"
        pool = train_pool(around, teacher, scene.dataset, scene.pool, progress, unfinished)
        save(pool, path)
    kept = folder / f"scores-{key}.npz"
    if kept.is_file():
        with np.load(kept) as file:
            scores = tuple(file[f"arr_{number}"] for number in range(len(around.cells)))
    else:
        scores = score_candidates(around, teacher, pool, scene.dataset, scene.pool, progress)
        np.savez(kept, *scores)
    deployment = Deployment(target, around.fixed_weight_bits, RowExecution.AUTO, None)
    costs = candidate_costs(around, deployment, target_profile(target), progress)
    return Material(
        scene, target, teacher, tutor, taught.validation_score, around, pool, scores, costs
    )


def _teachers(
    scene: Scene, spec: NetworkSpec, folder: Path, progress: Progress
) -> tuple[TrainedNetwork, nn.Module]:
    """The teacher of a space, and the network that teaches in the final training."""

    def learnt(start: Contestant) -> TrainedNetwork:
        return trained(start, scene.dataset, scene.teacher_budget, 0, folder, progress)

    first = learnt(from_scratch(scene.tutor, 0))
    tutor = first.network.eval()
    if spec == scene.tutor:
        return first, tutor
    start = from_scratch(spec, 0)
    return learnt(replace(start, taught_by=tutor)), tutor


def best_answer(
    found: Sequence[Material], goal: Goal, runs: Runs, folder: Path, progress: Progress
) -> tuple[Material, Answer]:
    """Of the networks that keep a goal's limit, one from each space, the best after its training.

    Several are compared by the accuracy of their integer networks on the validation part, trained
    with the first seed; at equal ones by the loss before. Raises NoChoiceError where no space has
    one.
    """
    answers: list[tuple[Material, Answer]] = []
    for each in found:
        with suppress(NoChoiceError):
            answers.append((each, answer(each, goal, runs, progress)))
    if not answers:
        return found[0], answer(found[0], goal, runs, progress)
    if len(answers) == 1:
        return answers[0]

    def rank(pair: tuple[Material, Answer]) -> tuple[float, float]:
        each, given = pair
        made = contestant(each, given.choice)
        scene = each.scene
        graph = integer_graph(made, scene.dataset, scene.budget, SEEDS[0], folder, progress)
        return -validation_accuracy(graph, scene.dataset), given.looked[0].loss

    return min(answers, key=rank)


def answer(found: Material, goal: Goal, runs: Runs, progress: Progress) -> Answer:
    """The network of one space that keeps a goal's limit."""
    limits = {resource.value: None for resource in Resource} | {
        goal.resource.value: goal.limit(runs)
    }
    question = Question(
        space=found.space,
        scores=found.scores,
        costs=found.costs.costs,
        limits=Limits(**limits),
        solutions=SOLUTIONS,
        overlap=OVERLAP,
        loss=found.loss,
        count=found.count,
    )
    return search(question, progress)


def contestant(found: Material, choice: Choice) -> Contestant:
    """The network of a choice with the pool's weights; the tutor teaches it."""
    return Contestant(
        spec=assembly(found.space, choice).spec,
        module=assembled(found.space, choice, found.teacher, found.pool),
        layer_bits=layer_weight_bits(found.space, choice),
        taught_by=found.tutor,
    )


def correlation_document(found: Material) -> dict[str, Any]:
    """Sums of scores against measured losses before fine-tuning, for random networks.

    Half of each cell's candidates, those of the lower scores, are drawn from: with a single one of
    the others a network only guesses.
    """
    generator = np.random.default_rng(0)
    better = [np.argsort(own)[: max(1, len(own) // 2)] for own in found.scores]
    choices: Sequence[Choice] = [
        tuple(int(generator.choice(own)) for own in better) for _ in range(_RANDOM_NETWORKS)
    ]
    losses = [found.loss(choice) for choice in choices]
    every = [random_choice(found.space, generator) for _ in range(_RANDOM_NETWORKS)]
    return {
        "better_half": asdict(correlation(sums(found.scores, choices), losses)),
        "all": asdict(
            correlation(sums(found.scores, every), [found.loss(choice) for choice in every])
        ),
    }


def answer_document(found: Material, given: Answer) -> dict[str, Any]:
    """The choice and its proof."""
    best = given.looked[0]
    cells = zip(found.space.cells, best.solution.choice, strict=True)
    return {
        "teacher": found.space.teacher.name,
        "cells": {str(cell.index): cell.candidates[index].name for cell, index in cells},
        "score": round(best.solution.score, 6),
        "bound": round(best.solution.bound, 6),
        "gap": round(best.solution.gap, 6),
        "status": best.solution.status.value,
        "loss_before_fine_tuning": round(best.loss, 4),
        "losses_of_solutions": [round(looked.loss, 4) for looked in given.looked],
        "predicted": {name: round(value) for name, value in best.predicted.items()},
        "counted": asdict(given.counted),
        "rounds": given.rounds,
    }


def _key(around: Space, scene: Scene) -> str:
    text = around.model_dump_json() + scene.pool.model_dump_json() + scene.dataset.content_hash
    return hashlib.sha256(text.encode()).hexdigest()[:16]
