"""What a user brings beside options: the kind of a model reference, and digests of its content."""

from __future__ import annotations

import difflib
import hashlib
import os
import sys
from enum import StrEnum
from pathlib import Path

from edgeflow.errors import DataError, ModelError, UnknownNameError
from edgeflow.pipeline.store import hash_file

# A QDQ file names this operator in its nodes; a float file has no use for it.
_QDQ_OPERATOR = b"DequantizeLinear"
_MODEL_SUFFIXES = (".tflite", ".onnx")
USUAL_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0))
RANGE_TOLERANCE = 0.1  # of the input's own range, at each end


class ModelKind(StrEnum):
    """What `--model` names; it decides which stages run."""

    REFERENCE = "reference network"
    PYTHON = "Python import path"
    FLOAT_FILE = "float model file"
    INTEGER_FILE = "integer model file"


def kind_of_model(reference: str) -> ModelKind:
    """The kind of a model reference. Raises UnknownNameError or ModelError where it is none."""
    from edgeflow.nets.registry import NETWORKS

    if reference in NETWORKS:
        return ModelKind.REFERENCE
    path = Path(reference).expanduser()
    if path.suffix.lower() in _MODEL_SUFFIXES:
        if not path.is_file():
            raise ModelError(f"there is no model file {reference!r}", hint="check the path")
        if path.suffix.lower() == ".tflite" or _is_qdq(path):
            return ModelKind.INTEGER_FILE
        return ModelKind.FLOAT_FILE
    module, separator, attribute = reference.partition(":")
    if separator and attribute and all(part.isidentifier() for part in module.split(".")):
        return ModelKind.PYTHON
    if path.exists():
        raise ModelError(
            f"{reference!r} is no model file that can be used",
            hint=f"bring {', '.join(_MODEL_SUFFIXES)}, or a Python network as module:attribute",
        )
    close = difflib.get_close_matches(reference, NETWORKS, n=1, cutoff=0.4)
    guess = f"did you mean {close[0]!r}? " if close else ""
    raise UnknownNameError(
        f"there is no network {reference!r}",
        hint=f"{guess}Networks: {', '.join(NETWORKS)}; or a .tflite or .onnx file, or "
        "module:attribute",
    )


def integer_value_range(reference: str) -> tuple[float, float] | None:
    """The range of values in which an integer model file takes 8-bit data.

    Its input's own range, or the usual range that this comes close to: quantizers derive the input
    from samples or learn it, and miss the ends of what the float network took by a little. None
    where the file turns out to be of another kind, which the import stage refuses.
    """
    from edgeflow.nets import user_model
    from edgeflow.pipeline.steps.inputs import input_range

    network = user_model.load(reference, (1, 1, 1), 1)
    if not isinstance(network, user_model.IntegerNetwork):
        return None
    low, high = input_range(network.graph)
    margin = RANGE_TOLERANCE * (high - low)
    for usual in USUAL_RANGES:
        if abs(low - usual[0]) <= margin and abs(high - usual[1]) <= margin:
            return usual
    return low, high


def model_digest(reference: str) -> str | None:
    """The sha256 of the file or of the Python source that a reference names; None for our own.

    For `module:attribute` it covers the module's file, or every `.py` file of its top package;
    other modules that those import are not covered.
    """
    kind = kind_of_model(reference)
    if kind is ModelKind.REFERENCE:
        return None
    if kind is ModelKind.PYTHON:
        return _source_digest(reference.partition(":")[0].split(".")[0])
    return _hashed(Path(reference).expanduser(), ModelError)


def weights_digest(path: str | None) -> str | None:
    """The sha256 of a weights file, if one is named."""
    return None if path is None else _hashed(Path(path).expanduser(), ModelError)


def data_digest(source: str) -> str | None:
    """The sha256 over the paths and contents below `source`; None for built-in data."""
    from edgeflow.data.sources import BUILT_IN

    if source in BUILT_IN:
        return None
    path = Path(source).expanduser()
    if not source:
        raise UnknownNameError(
            "the data source is empty", hint=f"built-in sources: {', '.join(BUILT_IN)}"
        )
    if not path.exists():
        close = difflib.get_close_matches(source, BUILT_IN, n=1, cutoff=0.5)
        known = f"built-in sources: {', '.join(BUILT_IN)}"
        if any(character in source for character in "/\\."):
            raise DataError(
                f"there is no file or folder {source!r}", hint=f"check the path; {known}"
            )
        raise UnknownNameError(
            f"there is no data source {source!r}, and no file or folder of that name",
            hint=f"did you mean {close[0]!r}?" if close else known,
        )
    if path.is_file():
        return _hashed(path, DataError)
    if not path.is_dir():
        raise DataError(
            f"{source!r} is neither a file nor a folder",
            hint="data is read from files: write it into one",
        )
    return _folder_digest(path, sorted(_files_below(path)), DataError)


def _is_qdq(path: Path) -> bool:
    try:
        return _QDQ_OPERATOR in path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error, ModelError) from error


def _source_digest(package: str) -> str:
    for entry in (os.getcwd(), *sys.path):
        folder, module = Path(entry, package), Path(entry, f"{package}.py")
        if (folder / "__init__.py").is_file():
            sources = [p for p in _files_below(folder) if p.suffix == ".py"]
            return _folder_digest(folder, sorted(sources), ModelError)
        if module.is_file():
            return _hashed(module, ModelError)
    raise ModelError(
        f"there is no Python module {package!r}",
        hint="run from the folder that holds it, or put that folder on PYTHONPATH",
    )


def _files_below(folder: Path) -> list[Path]:
    return [Path(root, name) for root, _, names in os.walk(folder) for name in names]


def _folder_digest(folder: Path, files: list[Path], error: type[DataError | ModelError]) -> str:
    digest = hashlib.sha256()
    for path in files:
        name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
        digest.update(name + b"\0" + _hashed(path, error).encode() + b"\n")
    return digest.hexdigest()


def _hashed(path: Path, kind: type[DataError | ModelError]) -> str:
    if path.exists() and not path.is_file():
        raise kind(f"{path} is not a regular file", hint="remove it, or bring a copy that is one")
    try:
        return hash_file(path)
    except OSError as error:
        raise _unreadable(path, error, kind) from error


def _unreadable(
    path: Path, error: OSError, kind: type[DataError | ModelError]
) -> DataError | ModelError:
    return kind(f"{path} cannot be read: {error.strerror}", hint="check the path and permissions")
