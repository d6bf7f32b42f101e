"""Layers of an interpreter share kernels: the order of the calls tells them apart."""

from dataclasses import replace

import numpy as np
import pytest

from edgeflow.backends.firmware.source import SourceTree
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.devices.device import DeviceRun, RunLimits
from edgeflow.devices.registry import device_for
from edgeflow.errors import DeviceFaultError
from edgeflow.targets.registry import load
from edgeflow.targets.schema import Target
from tests.backends.hand_written import INPUT_BYTES, source_tree
from tests.devices.qemu import qemu_board

CALLER = "run_kernels"
# Two kernels with the parameters of TFLM's, one of which calls the other; `run_kernels` calls what
# the table says.
INTERPRETER = """
#include <string.h>
typedef void kernel(int);
__attribute__((noinline)) void emptyP13TfLiteContextP10TfLiteNode(int n)
{
    __asm__ volatile("nop" ::"r"(n));
}
__attribute__((noinline)) void loopP13TfLiteContextP10TfLiteNode(int n)
{
    for (volatile int i = 0; i < n; ++i)
        emptyP13TfLiteContextP10TfLiteNode(i);
}
static kernel *const kernels[] = {KERNELS};
__attribute__((noinline)) void run_kernels(void)
{
    for (int i = 0; i < (int)(sizeof kernels / sizeof *kernels); ++i)
        kernels[i](10 * (i + 1));
}
void edgeflow_invoke(void) { run_kernels(); memcpy(out, in, 16); }
"""
LOOP = "loopP13TfLiteContextP10TfLiteNode"
EMPTY = "emptyP13TfLiteContextP10TfLiteNode"


def _interpreter(kernels: tuple[str, ...], layers: int) -> SourceTree:
    code = INTERPRETER.replace("KERNELS", ", ".join(kernels))
    tree = source_tree(code, tuple(f"layer_{i}" for i in range(layers)))
    return replace(tree, layers=tuple(replace(s, caller=CALLER) for s in tree.layers))


def _run(source: SourceTree, target: Target) -> DeviceRun:
    inputs = np.arange(2 * INPUT_BYTES, dtype=np.int8).reshape(2, INPUT_BYTES)
    return device_for(target).run(build_image(source, target), inputs, RunLimits(seconds=60))


def _target(name: str) -> Target:
    return load(name) if name == "cortex-m4" else qemu_board(name)


@pytest.mark.parametrize("name", ["cortex-m4", pytest.param("mps2-an386", marks=pytest.mark.qemu)])
def test_calls_of_one_kernel_count_for_the_layers_in_their_order(name: str) -> None:
    run = _run(_interpreter((LOOP, EMPTY, LOOP), 3), _target(name))
    invoke, first, second, third = (layer.instructions for layer in run.layers)
    assert (first == first[0]).all()
    assert (second < 5).all()
    assert 10 * 5 < first[0] < third[0]
    assert abs(3 * first[0] - third[0]) < 2 * first[0] / 10  # 10 rounds and 30
    assert (invoke + first + second + third == run.instructions).all()


@pytest.mark.qemu
def test_both_emulators_count_an_interpreter_s_layers_alike() -> None:
    source = _interpreter((LOOP, LOOP, EMPTY), 3)
    board = qemu_board("mps2-an386")
    for unicorn, qemu in zip(
        _run(source, load("cortex-m4")).layers, _run(source, board).layers, strict=True
    ):
        assert np.array_equal(unicorn.instructions, qemu.instructions), unicorn.symbol


@pytest.mark.parametrize("name", ["cortex-m4", pytest.param("mps2-an386", marks=pytest.mark.qemu)])
def test_more_calls_than_layers_are_a_fault(name: str) -> None:
    with pytest.raises(DeviceFaultError, match=r"'node of layer_1'.* was called 2 times"):
        _run(_interpreter((EMPTY, EMPTY, EMPTY), 2), _target(name))


@pytest.mark.parametrize("name", ["cortex-m4", pytest.param("mps2-an386", marks=pytest.mark.qemu)])
def test_fewer_calls_than_layers_are_a_fault(name: str) -> None:
    with pytest.raises(DeviceFaultError, match=r"'node of layer_2'.* was called 0 times"):
        _run(_interpreter((EMPTY, LOOP), 3), _target(name))
