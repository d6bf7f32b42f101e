"""What several rooms' tests share: one real, short build of the digits for the emulated M4."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Elsewhere every run draws new examples; CI repeats the same ones, so that it fails for a change
# and not for a draw.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

SHORT_BUILD = {
    "build": {"target": "cortex-m4"},
    "train": {"epochs": 3},
    "quantize": {"epochs": 1},
}


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a finished build; tests must not write into it."""
    from edgeflow.pipeline.build import build
    from edgeflow.pipeline.config import from_values

    run_dir = tmp_path_factory.mktemp("digits") / "run"
    result = build(from_values(SHORT_BUILD, "tests/conftest.py"), run_dir)
    assert result.refusal is None
    return run_dir


@pytest.fixture(scope="session")
def digits_bundle(digits_run: Path) -> Path:
    """The bundle of that build; tests must not write into it."""
    return digits_run / "bundle"
