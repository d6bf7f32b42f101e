"""Real data and models beside the checkout; tests that need them skip with a message otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(
    os.environ.get("EDGEFLOW_SHARED", Path(__file__).resolve().parent.parent.parent / "shared")
)


def shared_file(name: str) -> Path:
    """The file of that name below the shared folder; skips the test where it is absent."""
    found = sorted(SHARED.rglob(name)) if SHARED.is_dir() else []
    if not found:
        pytest.skip(f"{name} is absent below {SHARED} (set EDGEFLOW_SHARED)")
    return found[0]


def shared_folder(name: str) -> Path:
    """The folder of that name below the shared folder; skips the test where it is absent."""
    found = [p for p in sorted(SHARED.rglob(name)) if p.is_dir()] if SHARED.is_dir() else []
    if not found:
        pytest.skip(f"folder {name} is absent below {SHARED} (set EDGEFLOW_SHARED)")
    return found[0]
