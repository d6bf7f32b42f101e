"""A RAM budget below what whole layers need: the build runs them row by row, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeflow.bundle.summary import ArenaKind, Summary
from edgeflow.bundle.verify import require, verify
from edgeflow.exchange import tflite
from edgeflow.pipeline.build import BuildResult, build
from edgeflow.pipeline.config import from_values
from edgeflow.pipeline.steps.generate import arena_limit_bytes
from edgeflow.targets.registry import load
from tests.backends.segments import CHANNELS, SIDE, residual_block


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brought")
    (folder / "model.tflite").write_bytes(tflite.write(residual_block()))
    x = np.random.default_rng(0).uniform(-6, 6, (3, SIDE, SIDE, CHANNELS))
    np.savez(folder / "samples.npz", x=x.astype(np.float32))
    return folder


def _built(folder: Path, rows: str, **budget: int) -> tuple[BuildResult, Summary]:
    values = {
        "build": {"model": str(folder / "model.tflite")},
        "data": {"source": str(folder / "samples.npz")},
        "memory": {"row_by_row": rows},
        "budget": budget,
    }
    run_dir = folder / f"run-{rows}-{len(budget)}"
    result = build(from_values(values, "test"), run_dir)
    return result, Summary.model_validate_json((run_dir / "figures.json").read_bytes())


def test_a_ram_budget_is_met_by_rows_and_the_bundle_verifies(brought: Path) -> None:
    _, whole = _built(brought, "never")
    assert whole.row_by_row == ()
    budget = int(whole.figure("RAM").value) - 1
    refused, _ = _built(brought, "never", ram_bytes=budget)
    assert refused.refusal is not None
    met, by_rows = _built(brought, "auto", ram_bytes=budget)
    assert met.refusal is None
    assert met.bundle is not None
    assert by_rows.row_by_row
    assert by_rows.figure("RAM").value <= budget
    require(verify(met.bundle))


def test_the_report_names_the_peak_and_draws_the_rows(brought: Path) -> None:
    _, summary = _built(brought, "least-ram")
    peak, (segment,) = summary.arena_peak, summary.row_by_row
    assert (peak.first_layer, peak.last_layer) == (segment.first_layer, segment.last_layer)
    assert peak.row_bytes == segment.buffer_bytes
    assert set(peak.tensors) <= {row.tensor for row in summary.arena}
    rows = [row for row in summary.arena if row.kind is ArenaKind.ROWS]
    assert sum(row.size_bytes for row in rows) == segment.buffer_bytes
    assert all(row.offset_bytes + row.size_bytes <= summary.arena_bytes for row in summary.arena)
    assert summary.arena_lower_bound_bytes == summary.figure("arena, lower bound").value
    page = (brought / "run-least-ram-0" / "report.html").read_text("utf-8")
    assert "run row by row" in page
    assert f"{segment.buffer_bytes:,} bytes of rows" in page


def test_every_layer_keeps_its_row_and_the_counts_add_up(brought: Path) -> None:
    _, whole = _built(brought, "never")
    _, by_rows = _built(brought, "least-ram")
    assert [row.name for row in whole.layers] == [row.name for row in by_rows.layers]
    for one, other in zip(whole.layers, by_rows.layers, strict=True):
        assert (one.signature, one.macs, one.output_bytes) == (
            other.signature,
            other.macs,
            other.output_bytes,
        )
    counted = sum(row.instructions for row in by_rows.layers) + by_rows.overhead_instructions
    assert counted == by_rows.figure("instructions per inference").value


def test_the_arena_may_take_what_budget_and_target_leave() -> None:
    target = load("cortex-m4")
    free = arena_limit_bytes(target, None)
    assert free < 256 * 1024
    assert arena_limit_bytes(target, 10_000) < 10_000
    assert arena_limit_bytes(target, 10**9) == free
    assert arena_limit_bytes(target, 1) == 0


def test_a_build_states_whether_its_arena_is_proven_optimal(digits_run: Path) -> None:
    document = json.loads((digits_run / "figures.json").read_bytes())
    assert document["arena_proven_optimal"]
    assert document["arena_peak"]["tensors"]
