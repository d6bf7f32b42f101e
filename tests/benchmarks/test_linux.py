"""The comparison of engines: its float network, its turns and its table."""

from __future__ import annotations

import pytest

from benchmarks.linux.contestants import Worker, rounds
from benchmarks.linux.table import table
from tests.devices.aarch64 import IS_X86_64_LINUX
from tests.shared_data import shared_file


@pytest.mark.skipif(not IS_X86_64_LINUX, reason="needs Linux on x86-64")
def test_engines_take_turns_and_each_round_is_a_median(tmp_path) -> None:
    model = shared_file("mlperf_tiny/ad01_int8.tflite").read_bytes()
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    with Worker("one", "litert", path) as one, Worker("other", "litert", path) as other:
        found = rounds([one, other], count=3, seconds=0.002)
        assert one.first_seconds() > 0
    assert list(found) == ["one", "other"]
    assert all(len(medians) == 3 and min(medians) > 0 for medians in found.values())


def test_an_engine_that_cannot_load_is_told(tmp_path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no model")
    with (
        pytest.raises(RuntimeError, match="one ended without an answer"),
        Worker("one", "litert", tmp_path / "model.tflite"),
    ):
        pass


def test_ratios_are_of_the_fastest_peer() -> None:
    def row(seconds: float) -> dict[str, float]:
        return {"seconds": seconds, "first_result_seconds": 0.002}

    rows = {
        "edgeflow int8": row(20e-6),
        "LiteRT int8": row(30e-6),
        "ONNX Runtime float32": row(9e-5),
        "TVM float32, our schedules": row(6e-5),
    }
    text = table({"processor": "P", "features": [], "models": {"net": rows}})
    assert "| net | 20.0 | 30.0 | 90.0 | 60.0 | 1.50 | 1.50 | 2.0 ms | 2.0 ms |" in text
    assert "without AVX-512 VNNI" in text
