"""Scores, whole networks of candidates, and how far the one tells the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgeflow.data.dataset import prepare
from edgeflow.nets.layout import network_input
from edgeflow.quantize.options import QuantizeOptions
from edgeflow.quantize.trace import trace
from edgeflow.quantize.weight_bits import bits_by_layer
from edgeflow.search.assemble import assembled, assembled_on_grids, layer_weight_bits
from edgeflow.search.correlation import correlation, sums
from edgeflow.search.maps import Maps, cell_maps, map_bytes, portions
from edgeflow.search.scores import network_losses, score_candidates
from edgeflow.search.space import assembly, original, random_choice
from tests.search.small_teacher import OPTIONS, scores, taught


@pytest.fixture(scope="module", name="scores")
def _scores() -> tuple[np.ndarray, ...]:
    return scores()


def test_the_original_with_8_bits_costs_hardly_any_loss(scores: tuple[np.ndarray, ...]) -> None:
    for own in scores:
        assert abs(own[0]) < 0.01
        assert np.isfinite(own).all()


def test_a_score_is_the_loss_of_the_network_with_that_one_candidate(
    scores: tuple[np.ndarray, ...],
) -> None:
    found = taught()
    choices = [(5, 0), (0, 7), (0, len(scores[1]) - 1)]
    teacher, *losses = network_losses(
        iter(
            [
                found.teacher,
                *(assembled_on_grids(found.space, c, found.teacher, found.pool) for c in choices),
            ]
        ),
        found.dataset,
        OPTIONS,
    )
    for choice, loss in zip(choices, losses, strict=True):
        # Both cells are on grids there, and one alone in the score.
        expected = sum(own[index] for own, index in zip(scores, choice, strict=True))
        assert loss - teacher == pytest.approx(expected, abs=0.02)


def test_the_original_choice_is_the_teacher_bit_for_bit() -> None:
    found = taught()
    again = assembled(found.space, original(found.space), found.teacher, found.pool)
    x = network_input(prepare(found.dataset.preprocessing, found.dataset.test.x[:50]))
    with torch.no_grad():
        assert torch.equal(again(x), found.teacher.eval()(x))


def test_a_choice_with_an_identity_loses_the_cell() -> None:
    found = taught()
    cell = found.space.cells[1]
    identity = next(i for i, candidate in enumerate(cell.candidates) if not candidate.cells)
    network = assembled(found.space, (0, identity), found.teacher, found.pool)
    assert len(list(network.children())) == len(found.space.teacher.cells) - 1


def test_the_bits_of_layers_are_those_that_quantization_takes() -> None:
    found = taught()
    generator = np.random.default_rng(0)
    height, width, channels = found.space.teacher.input_shape
    for _ in range(5):
        choice = random_choice(found.space, generator)
        bits = layer_weight_bits(found.space, choice)
        network = assembled(found.space, choice, found.teacher, found.pool)
        traced = trace(network, torch.zeros(2, channels, height, width))
        taken = bits_by_layer(traced, QuantizeOptions(layer_weight_bits=bits or None))
        per_cell = assembly(found.space, choice).weight_bits
        assert all(taken[name] == per_cell[int(name.split(".")[0])] for name in taken)


def test_sums_of_scores_order_whole_networks(scores: tuple[np.ndarray, ...]) -> None:
    """Of candidates from the better half: with others a network only guesses."""
    found = taught()
    generator = np.random.default_rng(1)
    better = [np.argsort(own)[: len(own) // 2] for own in scores]
    choices = [tuple(int(generator.choice(own)) for own in better) for _ in range(30)]
    losses = network_losses(
        (assembled_on_grids(found.space, c, found.teacher, found.pool) for c in choices),
        found.dataset,
        OPTIONS,
    )
    assert correlation(sums(scores, choices), list(losses)).coefficient > 0.6


def test_a_correlation_wants_three_networks() -> None:
    with pytest.raises(ValueError, match="too few"):
        correlation([1.0, 2.0], [1.0, 2.0])


def test_scores_are_the_same_when_few_maps_fit_into_memory(
    scores: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = taught()
    held: list[int] = []
    own = found.space.model_copy(update={"cells": found.space.cells[:1]})
    one = map_bytes(own, 0)

    def counted(*arguments: Any) -> Maps:
        maps = cell_maps(*arguments)
        held.append(maps.inputs.nbytes + maps.outputs.nbytes)
        return maps

    def few(images: NDArray[np.int64], each: int, memory: int) -> tuple[NDArray[np.int64], ...]:
        return portions(images, each, 50 * one)

    monkeypatch.setattr("edgeflow.search.scores.cell_maps", counted)
    monkeypatch.setattr("edgeflow.search.scores.portions", few)
    again = score_candidates(own, found.teacher, found.pool, found.dataset, OPTIONS)
    assert len(held) > 1
    assert max(held) <= 50 * one
    assert np.allclose(again[0], scores[0], atol=1e-5)
