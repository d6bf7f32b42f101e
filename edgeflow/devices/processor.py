"""What the operating system says of this machine's processor: name, features, governor."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
PERFORMANCE = "performance"


@dataclass(frozen=True)
class Processor:
    """Its name, the features that the kernel names, and how many processors this process may use.

    `governor` is the policy of clocks; empty where the system does not tell (virtual machines).
    """

    name: str
    features: frozenset[str]
    count: int
    governor: str


def this_processor() -> Processor:
    """The processor of this machine."""
    text = _CPUINFO.read_text("utf-8", "replace") if _CPUINFO.is_file() else ""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return read_processor(text, count, _governor(), platform.processor() or platform.machine())


def read_processor(cpuinfo: str, count: int, governor: str, otherwise: str) -> Processor:
    """The processor that the text of /proc/cpuinfo tells of; `otherwise` names one that is not."""
    fields = _fields(cpuinfo)
    words = fields.get("flags") or fields.get("Features") or ""
    return Processor(
        fields.get("model name") or otherwise, frozenset(words.split()), count, governor
    )


def _fields(text: str) -> dict[str, str]:
    """The fields of the first processor."""
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _governor() -> str:
    try:
        return Path(_GOVERNOR).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
