"""The kernel sets that a host can compile and run; NEON's has tests of its own in an emulator."""

from __future__ import annotations

import pytest

from edgeflow.devices.processor import this_processor
from edgeflow.targets.schema import KernelSet
from tests.devices.aarch64 import IS_X86_64_LINUX

FEATURES = this_processor().features if IS_X86_64_LINUX else frozenset()
needs_avx2 = pytest.mark.skipif(
    not {"avx2", "fma"} <= FEATURES, reason="needs Linux on x86-64 with AVX2"
)

PROCESSOR_FLAGS = {KernelSet.X86_C: ("-march=x86-64-v3",)}
"""What a compiler must be told of the processor; others take the plain C."""

KERNEL_SETS = [
    pytest.param(kernels, marks=[needs_avx2]) if kernels is KernelSet.X86_C else kernels
    for kernels in KernelSet
    if kernels is not KernelSet.NEON_C
]
