"""The example of docs/adding-a-target.md is a target on which firmware runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.backends.firmware.codegen import generate
from edgeflow.backends.firmware.toolchain import build_image
from edgeflow.backends.native.toolchain import build_program
from edgeflow.devices.device import RunLimits
from edgeflow.devices.linux_runner import runner_for
from edgeflow.devices.registry import device_for
from edgeflow.graph.interpreter import run_batch
from edgeflow.targets.registry import load
from tests.devices.aarch64 import needs_qemu_user
from tests.docs.markdown import examples, page


def test_the_example_is_a_target_on_which_firmware_runs(tmp_path: Path) -> None:
    text, _ = examples("adding-a-target.md", "toml")
    name = tomllib.loads(text)["name"]
    assert f"`{name}.toml`" in page("adding-a-target.md")
    (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    target = load(str(tmp_path / f"{name}.toml"))
    sram = next(region for region in target.memory if region.name == "sram")
    graph = lowered(REFERENCES[0])
    image = build_image(generate(graph, target.firmware.kernel_set), target)
    assert sram.origin <= image.symbols["edgeflow_arena"].address < sram.origin + sram.size_bytes
    inputs = np.random.default_rng(3).integers(-128, 128, (3, 8, 8, 1), dtype=np.int8)
    run = device_for(target).run(image, inputs, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, inputs))


@pytest.mark.parametrize("_", [pytest.param("", marks=needs_qemu_user)])
def test_the_example_of_a_linux_board_runs_programs(_: str, tmp_path: Path) -> None:
    _first, text = examples("adding-a-target.md", "toml")
    path = tmp_path / f"{tomllib.loads(text)['name']}.toml"
    path.write_text(text, encoding="utf-8")
    target = load(str(path))
    graph = lowered(REFERENCES[0])
    program = build_program(generate(graph, target.firmware.kernel_set), target)
    inputs = np.random.default_rng(3).integers(-128, 128, (3, 8, 8, 1), dtype=np.int8)
    run = runner_for(target).run(program, inputs, RunLimits())
    assert np.array_equal(run.outputs, run_batch(graph, inputs).reshape(3, -1))
