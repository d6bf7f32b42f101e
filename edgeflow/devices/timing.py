"""Times of a program on this machine: rounds of inferences until their median is certain.

Every round is a process of its own, because the place of memory and of the process changes times
from one process to the next; inferences of one process are alike. The figure is the median of the
rounds' medians, with the 95 % confidence interval of their mean (Student's t).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.native.program import whole_layers
from edgeflow.devices.device import RunLimits, flat_inputs
from edgeflow.devices.linux_runner import LinuxProgram, LinuxRunner
from edgeflow.devices.linux_session import Session
from edgeflow.devices.processor import PERFORMANCE, Processor

INPUTS = 32
_PILOT = 5
_NS = 1e-9


@dataclass(frozen=True)
class Protocol:
    """How long is measured: seconds of a round and of its warm-up, and when the rounds end.

    They end when the half width of the interval is `precision` of the mean, at the latest after
    `most_rounds`.
    """

    round_seconds: float = 0.1
    warm_up_seconds: float = 0.03
    precision: float = 0.02
    least_rounds: int = 5
    most_rounds: int = 25


@dataclass(frozen=True, eq=False)
class LayerTime:
    """The median time of one layer alone, in seconds."""

    symbol: str
    node_name: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Timing:
    """Seconds per inference: the median of the rounds, and the 95th percentile of all inferences.

    `half_width` is that of the 95 % confidence interval over the mean, `inferences` how many were
    timed. `warning` says what makes the figures doubtful; empty if nothing does.
    """

    median_seconds: float
    p95_seconds: float
    half_width: float
    rounds: int
    inferences: int
    source: str
    warning: str
    layers: tuple[LayerTime, ...]


def time_program(
    runner: LinuxRunner,
    program: LinuxProgram,
    inputs: NDArray[np.int8],
    protocol: Protocol = Protocol(),
    limits: RunLimits = RunLimits(),  # noqa: B008
) -> Timing:
    """Measure a program and its layers, one thread, on one processor.

    `inputs` is int8 [N, ...]; the first of them take turns. Errors as `Session.start`.
    """
    (whole,) = time_programs(runner, (program,), inputs, protocol, limits)
    if not whole_layers(program.layers):
        return whole
    with _Timed.started(runner, program, inputs, protocol, limits) as timed:
        return replace(whole, layers=timed.layers())


def time_programs(
    runner: LinuxRunner,
    programs: Sequence[LinuxProgram],
    inputs: NDArray[np.int8],
    protocol: Protocol = Protocol(),
    limits: RunLimits = RunLimits(),  # noqa: B008
) -> tuple[Timing, ...]:
    """Measure programs in turns, so that what else the machine does meets all of them.

    A program whose median is certain takes no further turn. Layers are not measured.
    """
    assert runner.processor is not None
    with ExitStack() as stack:
        all_timed = [
            stack.enter_context(_Timed.started(runner, program, inputs, protocol, limits))
            for program in programs
        ]
        for number in range(protocol.most_rounds):
            uncertain = [
                timed
                for timed in all_timed
                if number < protocol.least_rounds or _half_width(timed.rounds) > protocol.precision
            ]
            for timed in uncertain:
                timed.rounds.append(timed.times("times"))
    return tuple(_timing(runner, timed.rounds, protocol) for timed in all_timed)


def time_layers(
    runner: LinuxRunner,
    program: LinuxProgram,
    inputs: NDArray[np.int8],
    protocol: Protocol,
    limits: RunLimits = RunLimits(),  # noqa: B008
) -> tuple[NDArray[np.float64], tuple[tuple[LayerTime, ...], ...]]:
    """Seconds of the whole in every round, and of the layers in rounds between them.

    Rounds end when the whole is certain. Errors as `Session.start`.
    """
    layers = []
    with _Timed.started(runner, program, inputs, protocol, limits) as timed:
        while len(timed.rounds) < protocol.most_rounds:
            timed.rounds.append(timed.times("times"))
            layers.append(timed.layers())
            enough = len(timed.rounds) >= protocol.least_rounds
            if enough and _half_width(timed.rounds) <= protocol.precision:
                break
        wholes = [float(np.median(part)) * _NS for part in timed.rounds]
    return np.array(wholes), tuple(layers)


@dataclass(eq=False)
class _Timed:
    """A program in its session, how often it runs in a round, and the rounds so far."""

    program: LinuxProgram
    session: Session
    limits: RunLimits
    warm_up: int
    repetitions: int
    rounds: list[NDArray[np.uint64]]

    @classmethod
    @contextmanager
    def started(
        cls,
        runner: LinuxRunner,
        program: LinuxProgram,
        inputs: NDArray[np.int8],
        protocol: Protocol,
        limits: RunLimits,
    ) -> Iterator[_Timed]:
        """With its inputs in place, and as many repetitions as the protocol's seconds hold."""
        with runner.open(program) as session:
            session.put("inputs", flat_inputs(inputs[:INPUTS], program.input_bytes).tobytes())
            timed = cls(program, session, limits, _PILOT, _PILOT, [])
            one = max(float(np.median(timed.times("times"))), 1.0) * _NS
            timed.repetitions = max(_PILOT, math.ceil(protocol.round_seconds / one))
            timed.warm_up = math.ceil(protocol.warm_up_seconds / one)
            yield timed

    def times(self, command: str) -> NDArray[np.uint64]:
        """Nanoseconds of one process."""
        counts = (str(self.warm_up), str(self.repetitions))
        self.session.start((command, "inputs", "times", *counts), self.limits.seconds)
        return np.frombuffer(self.session.get("times"), dtype=np.uint64)

    def layers(self) -> tuple[LayerTime, ...]:
        """The times of all layers, each alone, in one process; without the clock's own."""
        layers = whole_layers(self.program.layers)
        clock, *medians = np.median(self.times("layers").reshape(-1, 1 + len(layers)), axis=0)
        return tuple(
            LayerTime(layer.symbol, layer.node_name, max(0.0, float(median - clock)) * _NS)
            for layer, median in zip(layers, medians, strict=True)
        )


def _timing(runner: LinuxRunner, rounds: list[NDArray[np.uint64]], protocol: Protocol) -> Timing:
    assert runner.processor is not None
    half_width = _half_width(rounds)
    return Timing(
        median_seconds=float(np.median([np.median(part) for part in rounds])) * _NS,
        p95_seconds=float(np.percentile(np.concatenate(rounds), 95)) * _NS,
        half_width=half_width,
        rounds=len(rounds),
        inferences=sum(part.size for part in rounds),
        source=f"{runner.source}, one thread on one processor",
        warning=_warning(half_width, protocol, runner.processor),
        layers=(),
    )


def _half_width(rounds: list[NDArray[np.uint64]]) -> float:
    """Half of the 95 % confidence interval of the rounds' medians, over their mean."""
    from scipy.stats import t

    medians = np.array([np.median(part) for part in rounds])
    if len(medians) < 2:
        return math.inf
    error = float(medians.std(ddof=1)) / math.sqrt(len(medians))
    return float(t.ppf(0.975, len(medians) - 1)) * error / float(medians.mean())


def _warning(half_width: float, protocol: Protocol, processor: Processor) -> str:
    found = []
    governor = processor.governor
    if governor and governor != PERFORMANCE:
        found.append(f"the frequency governor is {governor!r}, not {PERFORMANCE!r}")
    if half_width > protocol.precision:
        found.append(
            f"after {protocol.most_rounds} rounds the mean was known to {half_width:.1%} only, "
            f"{protocol.precision:.0%} was wanted: the machine is busy"
        )
    return "; ".join(found)
