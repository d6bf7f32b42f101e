"""Pools on disk as safetensors: no code runs when they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from edgeflow import __version__
from edgeflow.data.dataset import Dataset
from edgeflow.errors import ModelError, StorageError
from edgeflow.nets.cells import build_cells
from edgeflow.search.options import PoolOptions
from edgeflow.search.space import SearchedCell, Space

_OF = "edgeflow.pool"
State = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Pool:
    """For each searched cell and each of its candidates the state of nn.Sequential of its cells."""

    states: tuple[tuple[State, ...], ...]


def save(pool: Pool, path: Path) -> None:
    """Write a pool; equal pools give equal bytes. Raises StorageError."""
    _write(pool.states, path, {})


def load(space: Space, path: Path) -> Pool:
    """The pool of that space. Raises ModelError where it is damaged or of another space."""
    try:
        with safe_open(path, framework="pt") as file:
            return Pool(_nested(_tensors(file), space, space.cells))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: not the pool of this search, or damaged ({error})",
            hint="remove it and train the pool again",
        ) from error


def save_cell(states: Sequence[State], path: Path, of: str) -> None:
    """Write the candidates of one cell that is done; `of` is the `identity` of the training."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    _write((states,), partial, {_OF: of})
    os.replace(partial, path)


def load_cell(space: Space, cell: SearchedCell, path: Path, of: str) -> tuple[State, ...] | None:
    """The candidates of a cell that is done; None for a file of another training, or a damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get(_OF) != of:
                return None
            return _nested(_tensors(file), space, (cell,))[0]
    except (SafetensorError, OSError, KeyError, ValueError):
        return None


def identity(
    space: Space, cell: SearchedCell, teacher: nn.Module, dataset: Dataset, options: PoolOptions
) -> str:
    """Sha256 (hex) over everything that decides what the candidates of a cell learn."""
    digest = hashlib.sha256()
    for text in (
        __version__,
        torch.__version__,
        space.teacher.model_dump_json(),
        cell.model_dump_json(),
        options.model_dump_json(),
        dataset.content_hash,
    ):
        digest.update(f"{len(text)}:{text}".encode())
    for value in teacher.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _write(cells: Sequence[Sequence[State]], path: Path, metadata: dict[str, str]) -> None:
    flat = {
        f"{number}/{index}/{name}": value.contiguous()
        for number, found in enumerate(cells)
        for index, state in enumerate(found)
        for name, value in state.items()
    }
    try:
        save_file(flat, path, metadata=metadata)
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"{path}: the pool could not be written ({error})",
            hint="check free space and permission",
        ) from error


def _tensors(file: safe_open) -> dict[str, Tensor]:
    return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _nested(
    flat: Mapping[str, Tensor], space: Space, cells: Sequence[SearchedCell]
) -> tuple[tuple[State, ...], ...]:
    """By cell and candidate. Raises KeyError, ValueError for tensors of other candidates."""
    shapes, left, nested = space.teacher.shapes(), dict(flat), []
    for number, cell in enumerate(cells):
        states = []
        for index, candidate in enumerate(cell.candidates):
            with torch.device("meta"):
                module = build_cells(candidate.cells, shapes[cell.index], 0)
            wanted = {name: value.shape for name, value in module.state_dict().items()}
            state = {name: left.pop(f"{number}/{index}/{name}") for name in wanted}
            if {name: value.shape for name, value in state.items()} != wanted:
                raise ValueError(f"{candidate.name} of cell {cell.index} has another shape")
            states.append(state)
        nested.append(tuple(states))
    if left:
        raise ValueError(f"{len(left)} tensors of no candidate, such as {min(left)!r}")
    return tuple(nested)
