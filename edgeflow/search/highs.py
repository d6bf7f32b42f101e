"""HiGHS on the columns of a program that could still be in a better solution.

https://github.com/ERGO-Code/HiGHS, through `scipy.optimize`.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from edgeflow.search.rows import Array, Rows

_LOCK = threading.RLock()
_STDOUT = 1
_FINER = 1_000.0  # HiGHS takes scores as equal that differ by less than 1e-6


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that C code writes to stdout in the meantime comes out.

    The descriptor belongs to the whole process: no thread should print while this holds.
    """
    with _LOCK:
        if sys.stdout is not None:
            sys.stdout.flush()
        _flush()
        try:
            kept = os.dup(_STDOUT)
        except OSError:  # closed by whoever started this process: nothing to keep clean
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, _STDOUT)
            yield
        finally:
            _flush()
            os.dup2(kept, _STDOUT)
            os.close(kept)
            os.close(nowhere)


def _flush() -> None:
    """C's buffers, so that each line goes where it belongs."""
    library = "ucrtbase" if sys.platform == "win32" else None
    ctypes.CDLL(library).fflush(None)


@dataclass(frozen=True, eq=False)
class Answer:
    """Of some columns: the best one for each cell, None where none was found, and what is proven.

    No choice of these columns is below `bound`; it is infinite where there is none. `complete` is
    False where time ended the search.
    """

    columns: NDArray[np.int64] | None
    bound: float
    complete: bool


def integer(program: Rows, among: NDArray[np.int64], seconds: float, gap: float) -> Answer:
    """The integer program with no columns but `among`, which has some of every cell.

    `seconds` may be infinite; `gap` is a part of the scaled score.
    """
    constraints = [LinearConstraint(program.one_each[:, among], 1, 1)]
    if len(program.most):
        constraints.append(LinearConstraint(program.matrix[:, among], -np.inf, program.most))
    limit = {"time_limit": max(seconds, 0.0)} if np.isfinite(seconds) else {}
    for presolve in (True, False):
        with quiet():
            found = milp(
                _FINER * program.score[among],
                integrality=1,
                bounds=Bounds(0, 1),
                constraints=constraints,
                options={"mip_rel_gap": gap, "presolve": presolve, **limit},
            )
        if found.status in (0, 1, 2):
            break
    else:
        raise RuntimeError(f"the integer program was not solved: {found.message}")
    if found.status == 2:
        return Answer(None, np.inf, True)
    bound = -np.inf if found.mip_dual_bound is None else found.mip_dual_bound / _FINER
    columns = None if found.x is None else _taken(program, among, found.x)
    return Answer(columns, bound, found.status == 0)


def _taken(program: Rows, among: NDArray[np.int64], x: Array) -> NDArray[np.int64]:
    """Each cell's column."""
    whole = np.zeros(len(program.score))
    whole[among] = x
    return np.array(
        [a + whole[a:b].argmax() for a, b in zip(program.starts, program.starts[1:], strict=False)]
    )
