"""The backend and the device of docs/adding-a-backend.md work as they stand there."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_host_library
from edgeflow.devices.device import RunLimits
from edgeflow.devices.host import HostDevice
from edgeflow.graph.interpreter import run_batch
from edgeflow.targets.schema import KernelSet
from tests.docs.markdown import examples


def test_both_listings_give_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    backend, verdict = examples("adding-a-backend.md", "python")
    graph = lowered(REFERENCES[0])
    inputs = np.random.default_rng(4).integers(-128, 128, (5, 8, 8, 1), dtype=np.int8)
    host = HostDevice().run(
        build_host_library(generate(graph, KernelSet.PORTABLE_C)), inputs, RunLimits()
    )
    module = ModuleType("documented_backend")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where dataclasses look names up
    values: dict[str, Any] = module.__dict__
    exec(compile(backend, "adding-a-backend.md, first listing", "exec"), values)
    labels = run_batch(graph, inputs).argmax(axis=1)
    values.update(graph=graph, inputs=inputs, host=host.outputs, labels=labels)
    exec(compile(verdict, "adding-a-backend.md, second listing", "exec"), values)
    assert values["verdict"].passed
    assert values["verdict"].accuracy == 1.0
