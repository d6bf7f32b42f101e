"""A training on disk, after a whole epoch, from which it goes on to the same result bit for bit.

The file is the sha256 of the rest, and safetensors: no code runs when one is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from edgeflow.errors import StorageError

_DOCUMENT = "document"
_DIGEST_BYTES = 32
LARGEST_SHARE = 0.05  # of the time may go into writing
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, eq=False)
class Snapshot:
    """State as named tensors and a JSON document. `identity` is what the training is made from."""

    identity: str
    tensors: Mapping[str, Tensor]
    document: Mapping[str, Any]


class DamageError(Exception):
    """Why a checkpoint cannot be used."""


def encode(snapshot: Snapshot) -> bytes:
    """The content of a file; equal snapshots give equal bytes."""
    text = json.dumps({"identity": snapshot.identity, **snapshot.document}, sort_keys=True)
    tensors = {name: value.contiguous() for name, value in snapshot.tensors.items()}
    tensors[_DOCUMENT] = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
    payload = save(tensors)
    return hashlib.sha256(payload).digest() + payload


def decode(content: bytes) -> Snapshot:
    """What `encode` was given. Raises DamageError for any other content."""
    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        raise DamageError("it is damaged")
    try:
        tensors = load(payload)
        document = json.loads(bytes(tensors.pop(_DOCUMENT).numpy()))
        return Snapshot(document.pop("identity"), tensors, document)
    except (SafetensorError, KeyError, ValueError, AttributeError) as error:
        raise DamageError(f"it is no checkpoint of edgeflow ({error})") from error


def read(path: Path, identity: str) -> Snapshot | None:
    """The snapshot in `path`, None where there is no file.

    Raises DamageError where it cannot be read, is damaged or belongs to another training.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamageError(f"it cannot be read ({error.strerror})") from error
    snapshot = decode(content)
    if snapshot.identity != identity:
        raise DamageError("it belongs to another training")
    return snapshot


def write(path: Path, snapshot: Snapshot) -> None:
    """Write `path`: after a crash it holds the old snapshot or all of the new one."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(encode(snapshot))
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: the checkpoint could not be written ({error.strerror})",
            hint="check free space and permission, then run the same again",
        ) from error


@dataclass
class Keeper:
    """Writes snapshots often enough that little is lost, seldom enough that little time is.

    A snapshot is written once writing has taken less than `LARGEST_SHARE` of the time since the
    last one, or after `LONGEST_PAUSE_SECONDS`. Without a path nothing is written.
    """

    path: Path | None
    _waiting: Snapshot | None = None
    _written: float = field(default_factory=lambda: time.monotonic())
    _cost_seconds: float = 0.0

    def offer(self, snapshot: Snapshot) -> None:
        """Note the state after an epoch, and write it where it is time."""
        self._waiting = snapshot
        pause = min(self._cost_seconds / LARGEST_SHARE, LONGEST_PAUSE_SECONDS)
        if time.monotonic() - self._written >= pause:
            self.flush()

    def flush(self) -> None:
        """Write the last snapshot offered unless it is on the disk already."""
        if self.path is None or self._waiting is None:
            return
        start = time.monotonic()
        write(self.path, self._waiting)
        self._waiting = None
        self._written = time.monotonic()
        self._cost_seconds = self._written - start
