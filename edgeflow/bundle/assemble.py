"""What a bundle holds, file by file, as bytes; no time stamps and no paths of this machine."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.bundle.artifact import Artifact, json_bytes
from edgeflow.bundle.summary import Summary
from edgeflow.data.postprocessing import Postprocessing
from edgeflow.data.preprocessing import Preprocessing
from edgeflow.data.recipe import answer, steps

MODEL_TFLITE = "model.tflite"
MODEL_ONNX = "model.onnx"
TEST_INPUTS = "test/inputs.npy"
TEST_EXPECTED = "test/expected.npy"
TEST_LABELS = "test/labels.npy"
TARGET = "target.json"
CONFIG = "config.toml"
PREPROCESSING = "preprocessing.json"
POSTPROCESSING = "postprocessing.json"
FIGURES = "figures.json"
REPORT = "report.html"
README = "README.md"


@dataclass(frozen=True, eq=False)
class BundleParts:
    """Everything that a positive verdict lets into a bundle.

    `artifact` is what runs on the target, its files by path and how they are used; test arrays are
    int8 inputs [N, ...], int8 outputs of the interpreter [N, ...] and labels: int64 [N], or target
    values float32 [N, outputs] in their unit; None where the data has none.
    """

    model_tflite: bytes
    model_onnx: bytes
    artifact: Artifact
    inputs: NDArray[np.int8]
    expected: NDArray[np.int8]
    labels: NDArray[Any] | None
    target_json: str
    config_toml: str
    preprocessing_json: str
    postprocessing: Postprocessing
    summary: Summary
    report_html: str


def assemble(parts: BundleParts) -> dict[str, bytes]:
    """The bundle's files by relative path, the manifest excepted."""
    files = {
        MODEL_TFLITE: parts.model_tflite,
        MODEL_ONNX: parts.model_onnx,
        TEST_INPUTS: _npy(parts.inputs),
        TEST_EXPECTED: _npy(parts.expected),
        TARGET: parts.target_json.encode(),
        CONFIG: parts.config_toml.encode(),
        PREPROCESSING: parts.preprocessing_json.encode(),
        POSTPROCESSING: json_bytes(parts.postprocessing.model_dump(mode="json")),
        FIGURES: json_bytes(parts.summary.model_dump(mode="json")),
        REPORT: parts.report_html.encode(),
        README: _readme(parts).encode(),
    }
    labels = {} if parts.labels is None else {TEST_LABELS: _npy(parts.labels)}
    return {**parts.artifact.files, **files, **labels}


def load_npy(content: bytes | Path) -> NDArray[Any]:
    """An array of a .npy file or its bytes; nothing is unpickled.

    Raises ValueError when the content is no such array.
    """
    stream = io.BytesIO(content if isinstance(content, bytes) else content.read_bytes())
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0))
    return stream.getvalue()


def _readme(parts: BundleParts) -> str:
    from jinja2 import Environment, StrictUndefined

    name = parts.artifact.readme
    text = (resources.files("edgeflow.bundle") / name).read_text("utf-8")
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(text)
    preprocessing = Preprocessing.model_validate_json(parts.preprocessing_json)
    return template.render(
        summary=parts.summary,
        input_bytes=parts.artifact.input_bytes,
        output_bytes=parts.artifact.output_bytes,
        **parts.artifact.words,
        steps=steps(preprocessing),
        answer=answer(parts.postprocessing),
    )
