"""The pool: what candidates learn, from what, and that it is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgeflow.errors import ModelError
from edgeflow.nets.cells import build_cells
from edgeflow.nets.specs import Convolution, InvertedResidual
from edgeflow.search.cut import cut
from edgeflow.search.imitate import Pace, batches, imitation, learn, learnt
from edgeflow.search.maps import Maps, cell_maps, chosen_images, map_bytes, portions
from edgeflow.search.options import PoolOptions
from edgeflow.search.pool import Pool, load, save, train_pool
from edgeflow.search.pool_file import identity, load_cell, save_cell
from edgeflow.search.pool_plan import plan
from edgeflow.search.space import Space
from edgeflow.search.weight_grids import on_grid
from edgeflow.train.batches import source
from tests.search.small_teacher import OPTIONS, taught

SHAPE = (8, 8, 8)


def _equal(one: Pool, other: Pool) -> bool:
    pairs = zip(one.states, other.states, strict=True)
    return all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for own, others in pairs
        for a, b in zip(own, others, strict=True)
    )


def _first_cell(space: Space) -> Space:
    return space.model_copy(update={"cells": space.cells[:1]})


def test_the_first_candidate_is_the_teachers_cell_as_it_is() -> None:
    found = taught()
    for cell, states in zip(found.space.cells, found.pool.states, strict=True):
        own = list(found.teacher.children())[cell.index].state_dict()
        assert {f"0.{name}" for name in own} == states[0].keys()
        assert all(torch.equal(states[0][f"0.{name}"], value) for name, value in own.items())


def test_every_candidate_has_finite_weights_of_its_own_structure() -> None:
    found = taught()
    shapes = found.space.teacher.shapes()
    for cell, states in zip(found.space.cells, found.pool.states, strict=True):
        for candidate, state in zip(cell.candidates, states, strict=True):
            module = build_cells(candidate.cells, shapes[cell.index], 0)
            module.load_state_dict(dict(state))
            assert all(bool(value.isfinite().all()) for value in state.values())


def test_candidates_explain_most_of_what_their_cell_gives() -> None:
    """The mean of the outputs alone would explain nothing."""
    found = taught()
    samples = source(found.dataset, found.dataset.train)
    images = chosen_images(len(found.dataset.train), OPTIONS).scored
    errors: dict[str, float] = {}
    for cell, states in zip(found.space.cells, found.pool.states, strict=True):
        maps = cell_maps(found.teacher, cell.index, samples, images)  # type: ignore[arg-type]
        shape = found.space.teacher.shapes()[cell.index]
        for candidate, state in zip(cell.candidates, states, strict=True):
            if not candidate.family.startswith(("convolution 3x3", "inverted-residual 3x3")):
                continue
            if candidate.weight_bits < 8:
                continue
            module = build_cells(candidate.cells, shape, 0)
            module.load_state_dict(dict(state))
            with torch.no_grad():
                error = (module.eval()(maps.inputs) - maps.outputs).square().mean()
            errors[candidate.name] = float(error / maps.outputs.var())
    assert max(errors.values()) < 0.9, errors


def test_equal_options_give_an_equal_pool_and_finished_cells_are_not_learnt_again(
    tmp_path: Path,
) -> None:
    found = taught()
    first = _first_cell(found.space)
    again = train_pool(first, found.teacher, found.dataset, OPTIONS, unfinished=tmp_path)
    assert _equal(again, Pool(found.pool.states[:1]))
    told: list[str] = []
    resumed = train_pool(
        first,
        found.teacher,
        found.dataset,
        OPTIONS,
        lambda event: told.append(event.message),
        unfinished=tmp_path,
    )
    assert _equal(resumed, again)
    assert told == ["candidates of cell 0"]


def test_a_pool_comes_back_from_its_file(tmp_path: Path) -> None:
    found = taught()
    save(found.pool, tmp_path / "pool.safetensors")
    assert _equal(load(found.space, tmp_path / "pool.safetensors"), found.pool)


def test_a_pool_of_another_space_is_no_pool(tmp_path: Path) -> None:
    found = taught()
    save(found.pool, tmp_path / "pool.safetensors")
    with pytest.raises(ModelError, match="not the pool of this search"):
        load(_first_cell(found.space), tmp_path / "pool.safetensors")
    (tmp_path / "pool.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        load(found.space, tmp_path / "pool.safetensors")


def test_a_cell_that_learnt_otherwise_or_is_damaged_learns_anew(tmp_path: Path) -> None:
    found = taught()
    space, cell = found.space, found.space.cells[0]
    of = identity(space, cell, found.teacher, found.dataset, OPTIONS)
    path = tmp_path / "cell.safetensors"
    save_cell(found.pool.states[0], path, of)
    same = load_cell(space, cell, path, of)
    assert same is not None
    assert _equal(Pool((same,)), Pool(found.pool.states[:1]))
    longer = OPTIONS.model_copy(update={"steps": 97})
    other = identity(space, cell, found.teacher, found.dataset, longer)
    assert load_cell(space, cell, path, other) is None
    path.write_bytes(path.read_bytes()[:100])
    assert load_cell(space, cell, path, of) is None


def test_all_candidates_but_the_original_and_the_empty_learn_once() -> None:
    for cell in taught().space.cells:
        learning = [lesson.candidate for stage in plan(cell, OPTIONS) for lesson in stage.lessons]
        expected = [
            index
            for index, candidate in enumerate(cell.candidates)
            if candidate.cells and index > 0
        ]
        assert sorted(learning) == expected


def test_a_lesson_starts_from_what_an_earlier_stage_gave() -> None:
    for cell in taught().space.cells:
        known = {0}
        for stage in plan(cell, OPTIONS):
            for lesson in stage.lessons:
                assert lesson.start is None or lesson.start in known
            known |= {lesson.candidate for lesson in stage.lessons}


def test_channels_that_are_off_can_be_cut_without_a_change() -> None:
    wide = InvertedResidual(channels=8, expansion=2, inner_channels=16)
    narrow = wide.model_copy(update={"inner_channels": 8})
    module = build_cells((wide,), SHAPE, 0).eval()
    state = module.state_dict()
    for name in ("0.expand.1.weight", "0.expand.1.bias", "0.depthwise.1.bias"):
        state[name][::2] = 0.0
    module.load_state_dict(state)
    small = build_cells((narrow,), SHAPE, 1).eval()
    small.load_state_dict(cut((wide,), SHAPE, state, 8))
    x = torch.randn(4, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(small(x), module(x), atol=1e-5)


def test_channels_between_two_convolutions_can_be_cut() -> None:
    wide = (Convolution(channels=8), Convolution(channels=8))
    module = build_cells(wide, SHAPE, 0).eval()
    state = module.state_dict()
    state["0.norm.weight"][4:] = 0.0
    state["0.norm.bias"][4:] = 0.0
    module.load_state_dict(state)
    small = build_cells((Convolution(channels=4), Convolution(channels=8)), SHAPE, 1).eval()
    small.load_state_dict(cut(wide, SHAPE, state, 4))
    x = torch.randn(4, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(small(x), module(x), atol=1e-5)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_a_candidate_learns_to_give_what_its_cell_gives(bits: int) -> None:
    generator = torch.Generator().manual_seed(0)
    cell = build_cells((Convolution(channels=8),), SHAPE, 0).eval()
    x = torch.randn(64, 8, 8, 8, generator=generator)
    with torch.no_grad():
        maps = Maps(x, cell(x))
    module = build_cells((Convolution(channels=8),), SHAPE, 1)
    before = _error(module, maps)
    imitated = imitation(module, bits, Pace(60, 2e-2, 0.0))
    learn(imitated, batches(maps, 60, 32, generator), float(maps.outputs.var()))
    after = build_cells((Convolution(channels=8),), SHAPE, 1)
    after.load_state_dict(learnt(imitated))
    assert _error(after, maps) < 0.5 * before


def _error(module: nn.Module, maps: Maps) -> float:
    with torch.no_grad():
        return float((module.eval()(maps.inputs) - maps.outputs).square().mean())


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_weights_lie_on_the_grid_of_their_channel_and_the_largest_stays(bits: int) -> None:
    weight = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    gridded = on_grid(weight, bits)
    most = 2 ** (bits - 1) - 1
    largest = weight.abs().flatten(1).amax(1)
    steps = gridded / (largest / most).view(-1, 1, 1, 1)
    assert torch.allclose(steps, steps.round(), atol=1e-4)
    assert torch.allclose(gridded.abs().flatten(1).amax(1), largest)


def test_maps_are_taken_in_parts_that_keep_the_memory() -> None:
    space = taught().space
    one = map_bytes(space, 0)
    assert one == 4 * (8 * 8 * 1 + 4 * 4 * 8)
    parts = portions(np.arange(100), one, 10 * one)
    assert [len(part) for part in parts] == [10] * 10
    assert [len(part) for part in portions(np.arange(5), one, 1)] == [3, 2]


def test_images_to_score_with_are_not_imitated() -> None:
    images = chosen_images(1000, PoolOptions())
    assert len(images.scored) == 250
    assert len(images.imitated) == 750
    assert not set(images.scored) & set(images.imitated)
