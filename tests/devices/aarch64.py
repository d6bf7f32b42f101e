"""What tests that run AArch64 programs share."""

from __future__ import annotations

import platform
import shutil

import pytest

HAS_EMULATOR = shutil.which("qemu-aarch64") is not None
IS_X86_64_LINUX = platform.system() == "Linux" and platform.machine() == "x86_64"

needs_qemu_user = [
    pytest.mark.qemu,
    pytest.mark.skipif(
        not HAS_EMULATOR, reason="needs qemu-aarch64 (Debian, Ubuntu: apt install qemu-user)"
    ),
]
needs_x86_64 = [pytest.mark.skipif(not IS_X86_64_LINUX, reason="needs Linux on x86-64")]

LINUX_TARGETS = (
    pytest.param("linux-x86_64", marks=needs_x86_64),
    *(
        pytest.param(name, marks=needs_qemu_user)
        for name in ("raspberry-pi-4", "raspberry-pi-5", "jetson-nano", "jetson-orin-nano")
    ),
)
