"""Engines that run one model in rounds, in turns with one another."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeflow.devices.linux_runner import LinuxProgram, LinuxRunner

_WARM_UP_SECONDS = 0.05
_MOST_SECONDS = 600.0


class Contestant(Protocol):
    """Something that runs inferences and tells how long they take."""

    name: str

    def first_seconds(self) -> float:
        """From the model's file, or the start of the program, to the first result."""
        ...

    def round_seconds(self, inferences: int) -> float:
        """The median of so many inferences."""
        ...


@dataclass
class Native:
    """A program of ours, or a script with an engine in it: a process a round."""

    name: str
    program: LinuxProgram
    runner: LinuxRunner
    inputs: NDArray[np.int8]

    def __enter__(self) -> Native:
        """Put the runner and its inputs in place."""
        self._stack = ExitStack()
        self._session = self._stack.enter_context(self.runner.open(self.program))
        self._session.put("inputs", self.inputs.tobytes())
        self._session.put("one", self.inputs[:1].tobytes())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Remove them."""
        self._stack.close()

    def first_seconds(self) -> float:
        """The whole process: start, one inference, end; the least of ten."""
        times = []
        for _ in range(10):
            start = time.perf_counter()
            self._session.start(("answers", "one", "outputs"), _MOST_SECONDS)
            times.append(time.perf_counter() - start)
        return min(times)

    def round_seconds(self, inferences: int) -> float:
        """By the runner's own clock."""
        arguments = ("times", "inputs", "times", str(max(5, inferences // 3)), str(inferences))
        self._session.start(arguments, _MOST_SECONDS)
        return float(np.median(np.frombuffer(self._session.get("times"), np.uint64))) * 1e-9


@dataclass
class Worker:
    """An engine of Python packages in a process that stays."""

    name: str
    engine: str
    model: Path

    def __enter__(self) -> Worker:
        """Start it."""
        command = [sys.executable, "-m", "benchmarks.linux.worker", self.engine, str(self.model)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self._first_ns = self._read()
        except RuntimeError:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End it."""
        self._end()

    def _end(self) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    def first_seconds(self) -> float:
        """As it told at its start."""
        return self._first_ns * 1e-9

    def round_seconds(self, inferences: int) -> float:
        """One round."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{inferences}\n")
        self._process.stdin.flush()
        return self._read() * 1e-9

    def _read(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip():
            raise RuntimeError(f"{self.name} ended without an answer")
        return int(line)


def rounds(contestants: list[Contestant], count: int, seconds: float) -> dict[str, list[float]]:
    """`count` rounds of about so many seconds for each, in turns; medians of every round."""
    lengths = {}
    for each in contestants:
        once = each.round_seconds(20)
        each.round_seconds(max(5, int(_WARM_UP_SECONDS / once)))
        lengths[each.name] = max(5, int(seconds / once))
    found: dict[str, list[float]] = {each.name: [] for each in contestants}
    for _ in range(count):
        for each in contestants:
            found[each.name].append(each.round_seconds(lengths[each.name]))
    return found
