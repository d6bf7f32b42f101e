"""The manifest: which files a bundle consists of and what they hash to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeflow import __version__
from edgeflow.errors import BundleError, StorageError

MANIFEST = "manifest.json"
MAX_FILE_BYTES = 512 * 1024 * 1024


class FileEntry(BaseModel):
    """Size and hash of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0, le=MAX_FILE_BYTES)


class Manifest(BaseModel):
    """Every file of the bundle except the manifest itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    edgeflow_version: str
    target: str
    model: str
    files: dict[str, FileEntry]


def write_bundle(files: Mapping[str, bytes], directory: Path, *, target: str, model: str) -> None:
    """Write files and manifest beside `directory`, then put them in its place whole.

    Raises StorageError where the disk refuses; what stood at `directory` is then still there.
    """
    manifest = Manifest(
        schema_version=1,
        edgeflow_version=__version__,
        target=target,
        model=model,
        files={name: _entry(content) for name, content in sorted(files.items())},
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            for name, content in {**files, MANIFEST: text.encode()}.items():
                _write(fresh / _relative(name), content)
            fresh.chmod(0o755)
            _replace(fresh, directory)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"the bundle could not be written to {directory}: {error.strerror or error}",
            hint="free disk space or choose another place with --run-dir, then run it again",
        ) from error


def read_bundle(directory: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Every file of a bundle, each compared with its size and hash in the manifest.

    Raises BundleError that names the first file which is missing, altered or unknown.
    """
    manifest = _read_manifest(directory)
    present = {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() or path.is_symlink()
    }
    unknown = sorted(present - set(manifest.files) - {MANIFEST})
    if unknown:
        raise _damaged(directory, f"'{unknown[0]}' is not in the manifest")
    return manifest, {
        name: _read_file(directory, name, entry) for name, entry in manifest.files.items()
    }


def _read_manifest(directory: Path) -> Manifest:
    try:
        text = (directory / MANIFEST).read_bytes()
    except OSError as error:
        inside = directory / "bundle"
        raise BundleError(
            f"{directory} holds no readable {MANIFEST}",
            hint=f"did you mean {inside}?"
            if (inside / MANIFEST).is_file()
            else "name the bundle directory that `edgeflow build` printed",
        ) from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise _damaged(directory, f"{MANIFEST}, {place}: {first['msg']}") from error


def _read_file(directory: Path, name: str, entry: FileEntry) -> bytes:
    try:
        path = directory / _relative(name)
    except ValueError as error:
        raise _damaged(directory, f"the manifest names '{name}', outside the bundle") from error
    if path.is_symlink() or not path.is_file():
        raise _damaged(directory, f"'{name}' is missing")
    size = path.stat().st_size
    if size != entry.size_bytes:
        raise _damaged(directory, f"'{name}' has {size} bytes instead of {entry.size_bytes}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise _damaged(directory, f"'{name}' was altered")
    return content


def _damaged(directory: Path, what: str) -> BundleError:
    return BundleError(
        f"the bundle {directory} is damaged: {what}",
        hint="copy it again, or rebuild it with `edgeflow build`",
    )


def _entry(content: bytes) -> FileEntry:
    return FileEntry(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))


def _relative(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise ValueError(name)
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _replace(fresh: Path, directory: Path) -> None:
    """Rename `fresh` to `directory`; a bundle already there moves aside first and goes last."""
    if not directory.exists():
        fresh.rename(directory)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{directory.name}-old-", dir=directory.parent))
    directory.rename(old / "bundle")
    fresh.rename(directory)
    shutil.rmtree(old)
