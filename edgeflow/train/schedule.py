"""Learning rate and momentum of a step as functions of the step alone: nothing to store."""

from __future__ import annotations

import math

from edgeflow.train.options import Schedule

RISING = 0.3  # fraction of the steps of one cycle in which the rate rises
FIRST, LAST = 25.0, 25e4  # by what the peak is divided at both ends of one cycle
MOMENTUM_HIGH, MOMENTUM_LOW = 0.95, 0.85
CONSTANT_MOMENTUM = 0.9


def learning_rate(schedule: Schedule, peak: float, step: int, steps: int) -> float:
    """Learning rate of a step (from 0) of `steps`; proportional to `peak`.

    One cycle: Smith, Topin 2018 (arXiv 1708.07120), with cosine arcs. Cosine: Loshchilov, Hutter
    2017 (arXiv 1608.03983, equation 5) without restarts.
    """
    if schedule is Schedule.COSINE:
        return peak * (1 + math.cos(math.pi * step / steps)) / 2
    part = _cycle_part(step, steps)
    if part <= 1:
        return _arc(peak / FIRST, peak, part)
    return _arc(peak, peak / LAST, part - 1)


def momentum(schedule: Schedule, step: int, steps: int) -> float:
    """Decay of the first moment; one cycle lowers it while the rate is high (section 2 there)."""
    if schedule is Schedule.COSINE:
        return CONSTANT_MOMENTUM
    part = _cycle_part(step, steps)
    if part <= 1:
        return _arc(MOMENTUM_HIGH, MOMENTUM_LOW, part)
    return _arc(MOMENTUM_LOW, MOMENTUM_HIGH, part - 1)


def _cycle_part(step: int, steps: int) -> float:
    """Place in one cycle: 0 to 1 while the rate rises, 1 to 2 while it falls."""
    last = max(2, steps) - 1
    top = RISING * max(2, steps) - 1
    if step <= top:
        return step / top
    return 1 + (step - top) / (last - top)


def _arc(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))
