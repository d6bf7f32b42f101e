"""This host as a device: answers, and crashes that end only the worker."""

import numpy as np
import pytest

from edgeflow.backends.firmware.toolchain import build_host_library
from edgeflow.devices.device import RunLimits
from edgeflow.devices.host import HostDevice
from edgeflow.errors import DataError, DeviceFaultError, DeviceTimeoutError
from tests.backends.hand_written import INPUT_BYTES, invoke_only

ROWS = np.arange(3 * INPUT_BYTES, dtype=np.int8).reshape(3, 4, 4)


def test_every_input_gets_its_answer() -> None:
    library = build_host_library(
        invoke_only("for (int i = 0; i < 16; ++i) out[i] = (int8_t)(in[15 - i] + 1);")
    )
    run = HostDevice().run(library, ROWS, RunLimits())
    assert np.array_equal(run.outputs, ROWS.reshape(3, 16)[:, ::-1] + 1)
    assert run.stack_bytes is None
    assert run.instructions.size == 0


def test_a_crash_is_a_fault_that_says_when() -> None:
    library = build_host_library(
        invoke_only("if (in[0] >= 16) *(volatile int8_t *)4 = 1; out[0] = 1;")
    )
    with pytest.raises(DeviceFaultError, match="crashed on this host after 1 of 3 inferences"):
        HostDevice().run(library, ROWS, RunLimits())


def test_a_hang_ends_at_the_wall_limit() -> None:
    library = build_host_library(invoke_only('for (;;) __asm__ volatile("");'))
    with pytest.raises(DeviceTimeoutError, match=r"within 0\.5 s"):
        HostDevice().run(library, ROWS, RunLimits(seconds=0.5))


def test_wrong_inputs_are_refused() -> None:
    library = build_host_library(invoke_only("out[0] = in[0];"))
    with pytest.raises(DataError):
        HostDevice().run(library, ROWS[:, :2], RunLimits())
