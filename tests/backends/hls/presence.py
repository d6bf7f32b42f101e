"""Whether what writes and runs projects is here."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest

needs_hls = pytest.mark.skipif(
    find_spec("hls4ml") is None or shutil.which("g++") is None,
    reason="needs hls4ml (the extra hls) and g++",
)
