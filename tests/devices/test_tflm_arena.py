"""The arena of an interpreter is as large as it must be to start, found on the device."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.registry import device_for
from edgeflow.devices.tflm_arena import ArenaNeed, find_arena
from edgeflow.errors import DoesNotFitError
from edgeflow.targets.registry import load
from tests.backends.hand_written import HEADER, source_tree

TARGET = load("cortex-m4")


def _probe(arena_bytes: int, used: int, needed: int) -> FirmwareImage:
    """An interpreter that uses `used` bytes and starts in no less than `needed`."""
    answer = used if arena_bytes >= needed else 0
    code = f"""
#include "edgeflow_model.h"
static int8_t in[4];
static uint32_t answer = {answer}u;
int8_t *edgeflow_input(void) {{ return in; }}
const int8_t *edgeflow_output(void) {{ return (const int8_t *)&answer; }}
void edgeflow_invoke(void) {{ }}
"""
    tree = source_tree("")
    files = {"edgeflow_model.h": HEADER, "edgeflow_model.c": code}
    return build_image(replace(tree, files=files, input_bytes=4, output_bytes=4), TARGET)


@pytest.mark.parametrize(
    ("used", "needed", "expected"),
    [
        (1000, 1000, 1008),  # the next multiple of the alignment
        (1008, 1009, 1520),  # one step more
        (1000, 2000, 2032),  # two steps: 512 and 1024
    ],
)
def test_the_first_size_in_which_it_starts_is_taken(used: int, needed: int, expected: int) -> None:
    need = find_arena(lambda size: _probe(size, used, needed), device_for(TARGET), 65536)
    assert need == ArenaNeed(used, expected)


def test_a_model_that_starts_in_no_arena_does_not_fit() -> None:
    with pytest.raises(DoesNotFitError, match="an arena of 4,096 bytes"):
        find_arena(lambda size: _probe(size, 5000, 5000), device_for(TARGET), 4096)
