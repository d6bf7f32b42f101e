"""Whether Apache TVM is here, and the marks of tests that need it."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

HAS_TVM = find_spec("tvm") is not None
needs_tvm = [
    pytest.mark.tvm,
    pytest.mark.skipif(not HAS_TVM, reason="needs apache-tvm (the extra tvm)"),
]
