"""What a board says of itself over ssh, and whether it is one of a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.devices.processor import Processor, read_processor
from edgeflow.devices.ssh_session import Address, shell_on
from edgeflow.errors import DoesNotFitError
from edgeflow.targets.schema import InstructionSet, Target

_SEPARATOR = "---edgeflow---"
_QUESTIONS = (
    "uname -n",
    "uname -m",
    "nproc",
    "cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null",
    "cat /proc/device-tree/model 2>/dev/null | tr -d '\\0'",
    "cat /proc/cpuinfo",
)


@dataclass(frozen=True)
class Board:
    """Its host's name, its machine as `uname -m` tells it, and its processor."""

    host: str
    machine: str
    processor: Processor


def examine(address: Address) -> Board:
    """Ask a board. Raises DeviceFaultError where it is not reached."""
    with shell_on(address) as shell:
        command = f"; echo; echo {_SEPARATOR}; ".join(_QUESTIONS)
        told = shell.run(command).stdout.decode("utf-8", "replace").split(_SEPARATOR)
    host, machine, count, governor, model, cpuinfo = (part.strip() for part in told)
    found = read_processor(cpuinfo, int(count or 1), governor, model or machine)
    return Board(host, machine, found)


def require_like(found: Board, target: Target, machines: Mapping[str, InstructionSet]) -> None:
    """Raise DoesNotFitError where programs of the target do not run on the board."""
    wanted = target.core.instruction_set
    if machines.get(found.machine) is not wanted:
        raise DoesNotFitError(
            f"{found.host} is {found.machine}, and {target.name} is {wanted}.",
            hint="Name the board that the target is, or the target that the board is.",
        )
