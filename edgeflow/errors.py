"""The error tree: every failure that a user can meet, its exit code and what to do about it."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What `edgeflow` returns to the shell and to CI."""

    OK = 0
    NEGATIVE_VERDICT = 1
    USAGE = 2
    BAD_INPUT = 3
    MISSING_TOOL = 4
    INFEASIBLE = 5
    BUSY = 6
    DEVICE = 7
    STORAGE = 8
    TRAINING = 9
    INTERNAL = 70
    INTERRUPTED = 130


class EdgeflowError(Exception):
    """Root of the tree. `message` says what happened, `hint` what the user can do."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class VerdictError(EdgeflowError):
    """The artifact was built and run, and the gate refuses it."""

    exit_code = ExitCode.NEGATIVE_VERDICT


class UsageError(EdgeflowError):
    """The command line or the configuration asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class UnknownNameError(UsageError):
    """A target, network, data source or profile of that name does not exist."""


class ConfigError(UsageError):
    """`edgeflow.toml` or an option has a value that is not allowed."""


class InputError(EdgeflowError):
    """Something that the user brought cannot be used."""

    exit_code = ExitCode.BAD_INPUT


class DataError(InputError):
    """Data is missing, corrupt, of the wrong shape, or hostile."""


class ModelError(InputError):
    """A model file is missing, corrupt, hostile, or not what it should be."""


class UnsupportedOperatorError(ModelError):
    """A model uses an operator (or an attribute of one) outside the integer graph's set."""


class GraphError(InputError):
    """An integer graph breaks a rule of the checker."""


class TargetFileError(InputError):
    """A target file does not follow the schema."""


class ProfileFileError(InputError):
    """A profile file does not follow the schema."""


class EngineError(InputError):
    """A checkout of another engine lacks what a build needs of it."""


class BundleError(InputError):
    """A bundle is damaged, altered or incomplete."""


class MissingToolError(EdgeflowError):
    """A program or package that this step needs is not installed."""

    exit_code = ExitCode.MISSING_TOOL


class ToolFailedError(MissingToolError):
    """A tool is there and failed in a way that is not the user's input."""


class InfeasibleError(EdgeflowError):
    """No artifact can satisfy the constraints; the message holds the figures."""

    exit_code = ExitCode.INFEASIBLE


class DoesNotFitError(InfeasibleError):
    """The linked firmware is larger than the target's memory."""


class BusyError(EdgeflowError):
    """Another build holds the run directory."""

    exit_code = ExitCode.BUSY


class DeviceError(EdgeflowError):
    """The device did not finish the run."""

    exit_code = ExitCode.DEVICE


class DeviceFaultError(DeviceError):
    """The firmware faulted: bad access, undefined instruction, stack overflow."""


class DeviceTimeoutError(DeviceError):
    """The firmware did not answer within its limit."""


class StorageError(EdgeflowError):
    """A file could not be written: disk full, no permission."""

    exit_code = ExitCode.STORAGE


class TrainingError(EdgeflowError):
    """Training produced NaN or otherwise cannot go on."""

    exit_code = ExitCode.TRAINING
