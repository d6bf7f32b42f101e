"""Builds for FPGAs: from data to a bitstream, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgeflow.bundle.manifest import read_bundle, write_bundle
from edgeflow.bundle.verify import verify
from edgeflow.errors import ConfigError, DoesNotFitError
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import from_values
from tests.backends.fpga.presence import needs_verilator, needs_yosys
from tests.conftest import SHORT_BUILD

pytestmark = [*needs_verilator, *needs_yosys]
TARGET = "ecp5-25k"


def _build(run_dir: Path, **sections: Mapping[str, Any]) -> BuildResult:
    values = {**SHORT_BUILD, "build": {"target": TARGET, "lanes": "auto"}, **sections}
    return build(from_values(values, "tests"), run_dir)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return _build(tmp_path_factory.mktemp("fpga") / "run")


def _figures(result: BuildResult) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((result.run_dir / "figures.json").read_bytes())
    return document


def test_every_answer_is_the_interpreter_s_and_the_clock_is_reached(built: BuildResult) -> None:
    assert built.refusal is None
    checks = {row["name"]: row for row in _figures(built)["checks"]}
    assert checks["device bit-exact with the interpreter"]["detail"] == "all 359 images equal"
    assert checks["clock of the routed design"]["passed"]


def test_latency_is_cycles_over_the_clock_and_shared_out_to_layers(built: BuildResult) -> None:
    document = _figures(built)
    figures = {row["name"]: row for row in document["figures"]}
    cycles = figures["cycles"]["value"]
    assert figures["latency"]["value"] == pytest.approx(cycles / 100e6)
    assert figures["latency"]["kind"] == "simulated"
    assert sum(row["seconds"] for row in document["layers"]) == pytest.approx(cycles / 100e6)
    assert "latency at the clock that the routed design reaches" in figures
    reached = figures["clock that the routed design reaches"]
    assert reached["kind"] == "estimated"
    assert reached["value"] >= 100e6
    # As many lanes as there are multipliers for.
    assert figures["multipliers"]["value"] == 20


def test_the_bundle_holds_the_design_and_verifies(built: BuildResult, tmp_path: Path) -> None:
    assert built.bundle is not None
    manifest, files = read_bundle(built.bundle)
    assert {"fpga/edgeflow_core.v", "fpga/weights_0.hex", "fpga/design.bit"} <= files.keys()
    assert "edgeflow_core network (" in files["README.md"].decode()
    assert verify(built.bundle).passed
    lines = files["fpga/weights_0.hex"].decode().splitlines()
    files["fpga/weights_0.hex"] = ("\n".join(reversed(lines)) + "\n").encode()
    write_bundle(files, tmp_path / "bundle", target=manifest.target, model=manifest.model)
    failed = [check for check in verify(tmp_path / "bundle").checks if not check.passed]
    assert any(check.name == "simulated design against test/expected.npy" for check in failed)


def test_a_budget_of_time_is_held_against_the_clock(built: BuildResult) -> None:
    # The stages before the gate are those of the build before.
    refused = _build(built.run_dir, budget={"latency_seconds": 1e-5})
    assert refused.refusal is not None
    assert "latency" in str(refused.refusal)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"build": {"target": TARGET, "device": "ssh://pi@board"}}, "has no ssh"),
        ({"build": {"target": TARGET, "engine": "litert"}}, "runs on processors"),
        ({"build": {"target": "cortex-m4", "style": "spatial"}}, "is for FPGAs"),
        ({"build": {"target": "cortex-m4", "lanes": 8}}, "lanes = '8' is for FPGAs"),
        ({"build": {"target": TARGET, "lanes": 3}}, "lanes"),
        (
            {"build": {"target": TARGET, "style": "spatial", "lanes": 8}},
            "a network in space has none",
        ),
        ({"budget": {"instructions": 1000}}, "executes none"),
        (
            {"search": {"enabled": True}, "budget": {"flash_bytes": 65536}},
            "is for microcontrollers",
        ),
    ],
)
def test_what_an_fpga_has_not_is_refused_before_anything_is_done(
    sections: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        _build(tmp_path / "run", **sections)


def test_a_network_in_space_is_routed_and_exact_at_every_pace(tmp_path: Path) -> None:
    pytest.importorskip("da4ml")
    result = _build(
        tmp_path / "run",
        build={
            "target": TARGET,
            "style": "spatial",
            "model": "tests.backends.fpga.spatial.dense_network:network",
        },
        quantize={**SHORT_BUILD.get("quantize", {}), "weight_bits": 4},
    )
    document = _figures(result)
    checks = {row["name"]: row for row in document["checks"]}
    assert checks["device bit-exact with the interpreter"]["detail"] == "all 359 images equal"
    figures = {row["name"]: row for row in document["figures"]}
    assert figures["cycles from one input to the next, all of its bytes at once"]["value"] == 1
    assert figures["cycles"]["value"] == sum(row["seconds"] for row in document["layers"]) * 100e6
    assert figures["multipliers"]["value"] == 0
    assert result.refusal is None
    assert result.bundle is not None
    _, files = read_bundle(result.bundle)
    assert {"fpga/edgeflow_spatial.v", "fpga/edgeflow_sums.techmap"} <= files.keys()
    assert verify(result.bundle).passed


def test_a_network_too_large_for_space_is_refused_before_synthesis(
    built: BuildResult,
) -> None:
    with pytest.raises(DoesNotFitError, match=r"LUTs \(estimated\); the device has 24,288"):
        _build(built.run_dir, build={"target": TARGET, "style": "spatial"})
