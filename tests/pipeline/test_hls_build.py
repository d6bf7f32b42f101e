"""Builds for high-level synthesis: from data to a vendor's project, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgeflow.bundle.manifest import read_bundle, write_bundle
from edgeflow.bundle.verify import verify
from edgeflow.errors import ConfigError
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import from_values
from tests.backends.hls.presence import needs_hls
from tests.conftest import SHORT_BUILD

pytestmark = needs_hls
TARGET = "catapult"


def _build(run_dir: Path, **sections: Mapping[str, Any]) -> BuildResult:
    values = {**SHORT_BUILD, "build": {"target": TARGET}, **sections}
    return build(from_values(values, "tests"), run_dir)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return _build(tmp_path_factory.mktemp("hls") / "run")


def test_every_answer_is_the_interpreter_s_and_no_cost_is_claimed(built: BuildResult) -> None:
    assert built.refusal is None
    document = json.loads((built.run_dir / "figures.json").read_bytes())
    checks = {row["name"]: row for row in document["checks"]}
    assert checks["device bit-exact with the interpreter"]["detail"] == "all 359 images equal"
    assert not {"latency", "flash", "RAM"} & checks.keys()
    assert all(row["unit"] in ("bytes", "count") for row in document["figures"])
    assert "Catapult was not" in document["remark"]
    assert "Memory map" not in (built.run_dir / "report.html").read_text("utf-8")


def test_the_bundle_holds_the_project_and_verifies(built: BuildResult, tmp_path: Path) -> None:
    assert built.bundle is not None
    manifest, files = read_bundle(built.bundle)
    assert {"hls/build_prj.tcl", "hls/firmware/edgeflow_network.cpp"} <= files.keys()
    assert "catapult -f build_prj.tcl" in files["README.md"].decode()
    assert verify(built.bundle).passed
    document = json.loads(files["hls/edgeflow.json"])
    document["answer_zero"] += 1
    files["hls/edgeflow.json"] = json.dumps(document).encode()
    write_bundle(files, tmp_path / "bundle", target=manifest.target, model=manifest.model)
    failed = [check for check in verify(tmp_path / "bundle").checks if not check.passed]
    assert any(check.name == "emulated project against test/expected.npy" for check in failed)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"build": {"target": TARGET, "device": "ssh://pi@board"}}, "a project for a vendor"),
        ({"build": {"target": TARGET, "engine": "litert"}}, "a project for a vendor"),
        ({"build": {"target": TARGET, "style": "spatial"}}, "a project for a vendor"),
        ({"build": {"target": TARGET, "lanes": "auto"}}, "a project for a vendor"),
        ({"budget": {"latency_seconds": 1e-3}}, "only the vendor's tools tell"),
        ({"budget": {"flash_bytes": 65536}}, "only the vendor's tools tell"),
        ({"grow": {"enabled": True}}, "is for microcontrollers"),
    ],
)
def test_what_a_project_has_not_is_refused_before_anything_is_done(
    sections: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        _build(tmp_path / "run", **sections)
