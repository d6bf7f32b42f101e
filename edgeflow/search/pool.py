"""The pool: weights for every candidate of a space, each learnt alone from the teacher's cell.

Cells learn independently of each other, so a pool serves every target and budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgeflow.data.dataset import Dataset
from edgeflow.nets.cells import build_cells
from edgeflow.progress import Progress, ProgressEvent, silent
from edgeflow.search.cut import cut
from edgeflow.search.imitate import Imitation, batches, imitation, learn, learnt
from edgeflow.search.maps import Images, cell_maps, chosen_images, map_bytes, portions
from edgeflow.search.options import PoolOptions
from edgeflow.search.pool_file import Pool, State, identity, load, load_cell, save, save_cell
from edgeflow.search.pool_plan import Lesson, Stage, is_cut, plan
from edgeflow.search.space import SearchedCell, Space
from edgeflow.train.batches import Source, source
from edgeflow.train.determinism import deterministic

__all__ = ["Pool", "State", "load", "save", "train_pool"]

STAGE = "pool"
_SMALLEST_VARIANCE = 1e-12  # of a cell whose outputs are all alike


@dataclass(frozen=True, eq=False)
class _Work:
    space: Space
    teacher: nn.Sequential
    samples: Source
    images: Images
    options: PoolOptions


def train_pool(
    space: Space,
    teacher: nn.Module,
    dataset: Dataset,
    options: PoolOptions,
    progress: Progress = silent,
    unfinished: Path | None = None,
) -> Pool:
    """Weights for every candidate; `teacher` is a trained network of `space.teacher`.

    Cells that are done lie in the folder `unfinished` and are not learnt again; files there of
    another training are overwritten. Bit-identical for equal inputs on one machine. Raises
    TrainingError where a loss is not finite, StorageError where a cell cannot be written.
    """
    assert isinstance(teacher, nn.Sequential)
    images = chosen_images(len(dataset.train), options)
    work = _Work(space, teacher, source(dataset, dataset.train), images, options)
    done: list[tuple[State, ...]] = []
    for number, cell in enumerate(space.cells):
        if unfinished is None:
            done.append(_cell(work, cell, progress))
        else:
            path = unfinished / f"cell-{cell.index}.safetensors"
            of = identity(space, cell, teacher, dataset, options)
            found = load_cell(space, cell, path, of)
            if found is None:
                found = _cell(work, cell, progress)
                save_cell(found, path, of)
            done.append(found)
        progress(
            ProgressEvent(STAGE, f"candidates of cell {cell.index}", number + 1, len(space.cells))
        )
    return Pool(tuple(done))


def _cell(work: _Work, cell: SearchedCell, progress: Progress) -> tuple[State, ...]:
    """What every candidate of one cell has learnt, in their order."""
    found: dict[int, State] = {0: _original(work.teacher, cell.index)}
    found |= {i: {} for i, candidate in enumerate(cell.candidates) if not candidate.cells}
    for stage in plan(cell, work.options):
        running = [_start(work, cell, lesson, stage, found) for lesson in stage.lessons]
        _learn(work, cell, stage, running, progress)
        for lesson, each in zip(stage.lessons, running, strict=True):
            found[lesson.candidate] = learnt(each)
    return tuple(found[index] for index in range(len(cell.candidates)))


def _learn(
    work: _Work,
    cell: SearchedCell,
    stage: Stage,
    running: Sequence[Imitation],
    progress: Progress,
) -> None:
    """All lessons of a stage on the same batches, some images after the others."""
    options, pace = work.options, stage.pace
    memory = options.memory_mib * 2**20
    parts = portions(work.images.imitated, map_bytes(work.space, cell.index), memory)
    with deterministic(options.seed + cell.index, options.threads) as generator:
        for number, part in enumerate(parts):
            maps = cell_maps(work.teacher, cell.index, work.samples, part)
            variance = max(float(maps.outputs.var()), _SMALLEST_VARIANCE)
            steps = pace.steps * (number + 1) // len(parts) - pace.steps * number // len(parts)
            order = generator.get_state()
            for done, each in enumerate(running, start=1):
                generator.set_state(order)
                learn(each, batches(maps, steps, options.batch_size, generator), variance)
                message = f"cell {cell.index}: {steps} steps each"
                progress(ProgressEvent(STAGE, message, done, len(running)))


def _start(
    work: _Work,
    cell: SearchedCell,
    lesson: Lesson,
    stage: Stage,
    found: Mapping[int, State],
) -> Imitation:
    """A candidate before its first step."""
    candidate, shape = cell.candidates[lesson.candidate], work.space.teacher.shapes()[cell.index]
    module = build_cells(candidate.cells, shape, work.options.seed + lesson.candidate)
    if lesson.start is not None:
        wide, state = cell.candidates[lesson.start], found[lesson.start]
        if is_cut(wide, candidate):
            state = cut(wide.cells, shape, state, candidate.width)
        module.load_state_dict(dict(state))
    return imitation(module, candidate.weight_bits, stage.pace)


def _original(teacher: nn.Sequential, index: int) -> State:
    return {
        f"0.{name}": value.detach().clone() for name, value in teacher[index].state_dict().items()
    }
