"""What a bundle holds, file by file, as bytes; no time stamps and no paths of this machine."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.bundle.summary import Summary
from edgeflow.data.postprocessing import Postprocessing
from edgeflow.data.preprocessing import Preprocessing
from edgeflow.data.recipe import answer, steps

MODEL_TFLITE = "model.tflite"
MODEL_ONNX = "model.onnx"
FIRMWARE_ELF = "firmware/firmware.elf"
FIRMWARE_BIN = "firmware/firmware.bin"
FIRMWARE_LAYERS = "firmware/layers.json"
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

    `firmware_files` are the C sources, startup code and linker script; test arrays are int8
    inputs [N, ...], int8 outputs of the interpreter [N, ...] and labels: int64 [N], or target
    values float32 [N, outputs] in their unit; None where the data has none.
    """

    model_tflite: bytes
    model_onnx: bytes
    firmware_files: Mapping[str, str]
    image: FirmwareImage
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
        FIRMWARE_ELF: parts.image.elf,
        FIRMWARE_BIN: parts.image.bin,
        FIRMWARE_LAYERS: _json(layers_document(parts.image)),
        TEST_INPUTS: _npy(parts.inputs),
        TEST_EXPECTED: _npy(parts.expected),
        TARGET: parts.target_json.encode(),
        CONFIG: parts.config_toml.encode(),
        PREPROCESSING: parts.preprocessing_json.encode(),
        POSTPROCESSING: _json(parts.postprocessing.model_dump(mode="json")),
        FIGURES: _json(parts.summary.model_dump(mode="json")),
        REPORT: parts.report_html.encode(),
        README: _readme(parts).encode(),
    }
    sources = {f"firmware/{name}": text.encode() for name, text in parts.firmware_files.items()}
    labels = {} if parts.labels is None else {TEST_LABELS: _npy(parts.labels)}
    return {**sources, **files, **labels}


def layers_document(image: FirmwareImage) -> dict[str, Any]:
    """What `backends.firmware.image.read_image` needs beside the ELF file."""
    return {
        "input_bytes": image.input_bytes,
        "output_bytes": image.output_bytes,
        "layers": [asdict(layer) for layer in image.layers],
    }


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


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _readme(parts: BundleParts) -> str:
    from jinja2 import Environment, StrictUndefined

    text = (resources.files("edgeflow.bundle") / "README.md.j2").read_text("utf-8")
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(text)
    preprocessing = Preprocessing.model_validate_json(parts.preprocessing_json)
    return template.render(
        summary=parts.summary,
        image=parts.image,
        steps=steps(preprocessing),
        answer=answer(parts.postprocessing),
    )
