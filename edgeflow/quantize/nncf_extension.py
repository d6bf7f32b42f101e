"""NNCF without its side effects: nothing is compiled, sent or printed.

NNCF computes its fake quantizers with a C++ extension that torch compiles on first use, for about a
minute and in silence. Its pure-torch stand-in goes through torch.compile, which needs a compiler as
well. Underneath is the same arithmetic as `ReferenceQuantize`; that one runs here, eagerly.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _EagerFunctions:
    """What NNCF asks for a function of its extension, answered with its reference arithmetic."""

    def __init__(self) -> None:
        from nncf.torch.quantization.reference import ReferenceBackendType, ReferenceQuantize

        reference = ReferenceQuantize(backend_type=ReferenceBackendType.TORCH)
        self._functions: dict[str, Callable[..., Any]] = {
            "Quantize_forward": reference.forward,
            "Quantize_backward": reference.backward,
        }

    def get(self, function: str) -> Callable[..., Any]:
        """The callable of that name, as `nncf.torch.extensions.ExtensionNamespace.get`."""
        return self._functions[function]


@functools.cache
def load_nncf() -> ModuleType:
    """The package `nncf`, imported and prepared once for the process."""
    logger_class = logging.getLoggerClass()
    # Its import alone writes a client id into the home directory, and NNCF_CI is read after that.
    with _not_importable("openvino_telemetry"):
        import nncf
        import nncf.telemetry.decorator
        import nncf.torch
        from nncf.telemetry.wrapper import NNCFTelemetryStub
        from nncf.torch.quantization import quantize_functions

    logging.setLoggerClass(logger_class)
    # In case a user's module imported NNCF before.
    nncf.telemetry.decorator.telemetry = NNCFTelemetryStub()
    quantize_functions.QuantizedFunctionsCPU = _EagerFunctions()
    return nncf


@contextmanager
def quiet_nncf() -> Iterator[ModuleType]:
    """`nncf` without log messages below errors and without progress bars."""
    nncf = load_nncf()
    from nncf.common.tensor_statistics import aggregator

    logger = logging.getLogger("nncf")
    level, track = logger.level, aggregator.track
    logger.setLevel(logging.ERROR)
    aggregator.track = functools.partial(track, disable=True)
    try:
        yield nncf
    finally:
        logger.setLevel(level)
        aggregator.track = track


@contextmanager
def _not_importable(package: str) -> Iterator[None]:
    """As if `package` were not installed, which NNCF provides for."""
    absent = object()
    old: Any = sys.modules.get(package, absent)
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if old is absent:
            del sys.modules[package]
        else:
            sys.modules[package] = old
