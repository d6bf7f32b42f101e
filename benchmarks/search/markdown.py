"""The results as tables of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import mean
from typing import Any

NETWORKS = (
    "\n| {scene}: network | int8 accuracy, mean of the seeds (each) | instructions | flash, bytes "
    "| RAM, bytes |\n|---|---|---:|---:|---:|\n"
)
GOALS = (
    "\n| {scene}: at most | limit | taken | accuracy to reach | reached | points above |\n"
    "|---|---:|---:|---:|---:|---:|\n"
)


def tables(document: Mapping[str, Any]) -> str:
    """For every scene its networks, then its goals."""
    return "".join("".join(_scene(name, found)) for name, found in sorted(document.items()))


def _scene(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    yield NETWORKS.format(scene=name)
    for network, runs in found["networks"].items():
        each = ", ".join(f"{run['accuracy']:.2%}" for run in runs)
        most = [
            f"{max(run[key] for run in runs):,}"
            for key in ("instructions", "flash_bytes", "ram_bytes")
        ]
        average = f"{mean(run['accuracy'] for run in runs):.2%}"
        yield f"| {network} | {average} ({each}) | {' | '.join(most)} |\n"
    yield GOALS.format(scene=name)
    for row in found["goals"]:
        sign = "" if row["reached"] else " (missed)"
        yield (
            f"| {row['goal']['name']} | {row['limit']:,} | {row['taken']:,} | {row['floor']:.2%} "
            f"| {row['accuracy']:.2%} | {row['points_above']:+.2f}{sign} |\n"
        )
