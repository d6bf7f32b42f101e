"""MLPerf Tiny's int8 models and the labelled images for them, found below a folder of the user."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import litert
from benchmarks.measurement import Samples
from edgeflow.errors import DataError
from edgeflow.graph.ir import Graph

SHARED_VARIABLE = "EDGEFLOW_SHARED"
HOW_TO_PROVIDE = (
    "take the int8 .tflite files of github.com/mlcommons/tiny (benchmark/training/*/trained_models)"
    f" and name their folder with {SHARED_VARIABLE}"
)
_SEED = 2024


@dataclass(frozen=True)
class ModelName:
    """A model of the suite: its name here, and the pattern of its file's name."""

    name: str
    pattern: str


IMAGE_CLASSIFICATION = ModelName("ic_resnet8_int8", "ic_resnet8_int8*.tflite")
MODELS = (
    IMAGE_CLASSIFICATION,
    ModelName("kws_dscnn_int8", "kws_dscnn_int8*.tflite"),
    ModelName("ad01_int8", "ad01*int8*.tflite"),
    ModelName("vww_mobilenet_int8", "vww*int8*.tflite"),
    ModelName("sww_int8", "sww*int8*.tflite"),
)


def shared_folder() -> Path:
    """Where models and data of the user lie: EDGEFLOW_SHARED, or `shared` beside the checkout."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    return Path(os.environ.get(SHARED_VARIABLE) or beside)


def find_models(folder: Path) -> dict[str, Path]:
    """The models that lie anywhere below `folder`, by name."""
    found = {}
    for model in MODELS:
        paths = sorted(folder.rglob(model.pattern)) if folder.is_dir() else []
        if paths:
            found[model.name] = paths[0]
    return found


def read_graph(content: bytes) -> Graph:
    """The canonical integer graph of a `.tflite`."""
    from edgeflow.exchange import tflite
    from edgeflow.graph.canonical import canonicalize

    return canonicalize(tflite.read(content))


def sha256(content: bytes) -> str:
    """The digest under which results name a model file."""
    return hashlib.sha256(content).hexdigest()


def random_samples(graph: Graph, images: int) -> Samples:
    """Inputs drawn uniformly from all int8 values; the same every time, by a fixed seed."""
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(_SEED).integers(-128, 128, (images, *shape), dtype=np.int8)
    return Samples(x, None, f"{images} random inputs")


def find_cifar10(folder: Path) -> Path | None:
    """The folder or archive of CIFAR-10 below `folder`, if any."""
    if not folder.is_dir():
        return None
    batches = sorted(folder.rglob("test_batch.bin"))
    if batches:
        return batches[0].parent
    named = [p for p in sorted(folder.rglob("*")) if "cifar" in p.name.lower()]
    return named[0] if named else None


def cifar10_samples(graph: Graph, source: Path, images: int) -> Samples:
    """The first test images of CIFAR-10 as MLPerf Tiny's ResNet-8 takes them: pixels 0 to 255.

    Raises DataError where the data cannot be read or is of another shape.
    """
    from edgeflow.data.sources import DataOptions, load

    dataset = load(DataOptions(source=str(source)))
    tensor = graph.tensors[graph.inputs[0]]
    x = dataset.test.x
    if x.shape[1:] != tensor.shape[1:] or x.dtype != np.uint8:
        raise DataError(
            f"{source}: images {x.dtype} of shape {list(x.shape[1:])}, wanted uint8 "
            f"{list(tensor.shape[1:])}",
            hint="provide CIFAR-10's binary version",
        )
    assert tensor.quantization is not None
    scale = np.float32(tensor.quantization.scales[0])
    pixels = x[:images].astype(np.float32) / scale + tensor.quantization.zero_points[0]
    quantized = np.clip(np.round(pixels), -128, 127).astype(np.int8)
    taken = len(quantized)
    what = f"first {taken:,} of {len(x):,} CIFAR-10 test images"
    return Samples(quantized, dataset.test.y[:taken], what)


def references(model: bytes, x: NDArray[np.int8]) -> tuple[tuple[str, NDArray[np.int8]], ...]:
    """The answers of LiteRT's reference kernels, where they are installed."""
    return ((litert.NAME, litert.outputs(model, x)),) if litert.is_installed() else ()
