"""The files that stages hand to one another: arrays without pickle, and JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.pipeline.storage import json_bytes

MODEL = "model.tflite"
FLOAT_SCORES = "float.json"
SANITY = "sanity.json"
QUANTIZED_SCORES = "quantization.json"
GROWTH = "growth.json"
NETWORKS = "networks.json"
PRUNING = "pruning.json"
SEARCH = "search.json"


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write named arrays as .npz; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **{k: np.ascontiguousarray(arrays[k]) for k in arrays})
    path.write_bytes(stream.getvalue())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_document(path: Path, document: Any) -> None:
    """Write a JSON document."""
    path.write_bytes(json_bytes(document))


def read_document(path: Path) -> Any:
    """A JSON document."""
    return json.loads(path.read_bytes())
