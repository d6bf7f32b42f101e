"""Models and labelled images are found wherever they lie below the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import litert, mlperf_tiny
from benchmarks.reference_networks import REFERENCES, lowered
from edgeflow.errors import DataError
from edgeflow.exchange import tflite
from edgeflow.graph.interpreter import run_batch
from edgeflow.graph.ir import Graph, Quantization

RESNET8 = REFERENCES[1]


def with_pixel_input(graph: Graph) -> Graph:
    """The graph with the input parameters of the published model: pixels 0 to 255."""
    name = graph.inputs[0]
    pixels = replace(graph.tensors[name], quantization=Quantization((1.0,), (-128,)))
    return replace(graph, tensors={**graph.tensors, name: pixels})


def write_cifar10(folder: Path, records: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images in CIFAR-10's binary layout; pixels [N, 32, 32, 3] and labels of the tests."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(6)
    for name in (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"):
        labels = (np.arange(records) % 10).astype(np.uint8)
        planes = rng.integers(0, 256, (records, 3, 32, 32), dtype=np.uint8)
        rows = np.concatenate([labels[:, None], planes.reshape(records, -1)], axis=1)
        (folder / name).write_bytes(rows.tobytes())
    return planes.transpose(0, 2, 3, 1), labels


def test_models_are_found_at_any_depth_and_by_the_pattern_of_their_name(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for name in ("kws_dscnn_int8.tflite", "vww_96_int8.tflite", "vww_96_float.tflite", "x.tflite"):
        (deep / name).write_bytes(b"")
    found = mlperf_tiny.find_models(tmp_path)
    assert {name: path.name for name, path in found.items()} == {
        "kws_dscnn_int8": "kws_dscnn_int8.tflite",
        "vww_mobilenet_int8": "vww_96_int8.tflite",
    }
    assert mlperf_tiny.find_models(tmp_path / "absent") == {}


def test_the_folder_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mlperf_tiny.SHARED_VARIABLE, "/somewhere")
    assert mlperf_tiny.shared_folder() == Path("/somewhere")
    monkeypatch.delenv(mlperf_tiny.SHARED_VARIABLE)
    assert mlperf_tiny.shared_folder().name == "shared"


def test_cifar10_pixels_become_the_integers_of_the_models_input(tmp_path: Path) -> None:
    pixels, labels = write_cifar10(tmp_path / "data" / "cifar-10-batches-bin", 12)
    source = mlperf_tiny.find_cifar10(tmp_path)
    assert source is not None
    graph = with_pixel_input(lowered(RESNET8))
    samples = mlperf_tiny.cifar10_samples(graph, source, 5)
    assert np.array_equal(samples.x.astype(np.int64), pixels[:5].astype(np.int64) - 128)
    assert samples.labels is not None
    assert np.array_equal(samples.labels, labels[:5])
    assert samples.what == "first 5 of 12 CIFAR-10 test images"


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    write_cifar10(tmp_path / "cifar", 12)
    with pytest.raises(DataError, match=r"\[8, 8, 1\]"):
        mlperf_tiny.cifar10_samples(lowered(REFERENCES[0]), tmp_path / "cifar", 5)


def test_random_inputs_are_the_same_every_time() -> None:
    graph = lowered(REFERENCES[0])
    first, second = (mlperf_tiny.random_samples(graph, 3) for _ in range(2))
    assert first.x.shape == (3, 8, 8, 1)
    assert np.array_equal(first.x, second.x)
    assert first.labels is None


def test_litert_gives_the_interpreters_answers() -> None:
    pytest.importorskip("ai_edge_litert")
    graph = lowered(REFERENCES[0])
    x = mlperf_tiny.random_samples(graph, 3).x
    assert np.array_equal(litert.outputs(tflite.write(graph), x), run_batch(graph, x))
