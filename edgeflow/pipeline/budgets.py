"""Budgets as people write them: `flash=64KiB`, `instructions=500k`, `accuracy=0.95`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence

from edgeflow.errors import UsageError

FIELDS: Mapping[str, str] = {
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "instructions": "instructions",
    "latency": "latency_seconds",
    "accuracy": "accuracy",
    "rmse": "rmse",
    "auc": "auc",
}
EXAMPLES = "flash=64KiB, ram=16k, instructions=500k, latency=2ms, accuracy=0.95, rmse=0.1"
_SHARES = {"accuracy": "an accuracy", "auc": "an AUC"}

_ABOVE_ZERO = {
    "rmse": ("an RMSE", "write the largest error to be let through, in the unit of the target"),
    "latency": ("a latency", "write the time of one inference with its unit, such as 2ms"),
}

_BYTE_UNITS: Mapping[str, int] = {
    "": 1,
    "b": 1,
    "k": 1024,
    "kib": 1024,
    "m": 1024**2,
    "mib": 1024**2,
    "kb": 1000,
    "mb": 1000**2,
}
_COUNT_UNITS: Mapping[str, int] = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_TIME_UNITS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_FRACTION_UNITS: Mapping[str, float] = {"": 1.0, "%": 0.01}
_UNITS: Mapping[str, Mapping[str, float]] = {
    "flash": _BYTE_UNITS,
    "ram": _BYTE_UNITS,
    "instructions": _COUNT_UNITS,
    "latency": _TIME_UNITS,
    "accuracy": _FRACTION_UNITS,
    "rmse": {"": 1.0},
    "auc": _FRACTION_UNITS,
}
_QUANTITY = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z%]*)")


def parse_budgets(arguments: Sequence[str]) -> dict[str, int | float]:
    """Values for the [budget] section from NAME=VALUE arguments, in bytes, counts and fractions.

    For bytes k and M are 1024 and 1024 squared, kB and MB are powers of 1000. Raises UsageError.
    """
    values: dict[str, int | float] = {}
    for argument in arguments:
        name, separator, text = argument.partition("=")
        name = name.strip().lower()
        if not separator or not text.strip():
            raise UsageError(
                f"--budget {argument}: a budget is written NAME=VALUE", hint=f"such as {EXAMPLES}"
            )
        if name not in FIELDS:
            close = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.5)
            guess = f"did you mean {close[0]!r}? " if close else ""
            raise UsageError(
                f"--budget {argument}: there is no budget {name!r}",
                hint=f"{guess}Budgets: {', '.join(FIELDS)}",
            )
        if FIELDS[name] in values:
            raise UsageError(f"--budget {name} is given twice", hint="keep the one that shall hold")
        values[FIELDS[name]] = _parse_quantity(argument, name, text.strip())
    return values


def _parse_quantity(argument: str, name: str, text: str) -> int | float:
    units = _UNITS[name]
    match = _QUANTITY.fullmatch(text)
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        accepted = ", ".join(unit for unit in units if unit)
        optional = "optionally " if "" in units else ""
        unit_hint = f", {optional}with one of: {accepted}" if accepted else ""
        raise UsageError(
            f"--budget {argument}: {text!r} is not a quantity of {name}",
            hint=f"a number{unit_hint}; such as {EXAMPLES}",
        )
    value = float(match[1].replace("_", "")) * factor
    if name in _SHARES:
        if not 0.0 <= value <= 1.0:
            raise UsageError(
                f"--budget {argument}: {_SHARES[name]} lies between 0 and 1",
                hint="write 0.95 or 95%",
            )
        return value
    if name in _ABOVE_ZERO:
        if not 0.0 < value < math.inf:
            what, hint = _ABOVE_ZERO[name]
            raise UsageError(f"--budget {argument}: {what} is larger than 0", hint=hint)
        return value
    if value < 1 or not math.isfinite(value) or value != int(value):
        raise UsageError(
            f"--budget {argument}: {text!r} is not a whole number of "
            f"{'instructions' if name == 'instructions' else 'bytes'} above 0",
            hint=f"such as {EXAMPLES}",
        )
    return int(value)
