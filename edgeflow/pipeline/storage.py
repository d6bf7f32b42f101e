"""Files of a run directory: written whole or not at all, synced, and their failures named."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeflow.errors import StorageError

# Everything unfinished carries this name, so that only edgeflow's own leftovers are ever removed.
PARTIAL_PREFIX = ".edgeflow-partial-"

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY})


@contextmanager
def storage_errors(where: Path, choice: str = "another --run-dir") -> Iterator[None]:
    """Turn failures to write below `where` into StorageError; other OSErrors pass.

    `choice` is what the user may choose instead of `where`.
    """
    try:
        yield
    except OSError as error:
        path = _path_of(error, where)
        if error.errno in _NO_SPACE:
            # Errors of a write name no file: say how much is free at every place of a build.
            places = dict.fromkeys([where.absolute(), Path(tempfile.gettempdir())])
            free = "; ".join(f"{place}: {_free_bytes(place):,} bytes free" for place in places)
            raise StorageError(
                f"no space left to write {path}: {error.strerror} ({free})",
                hint=f"free some space or choose {choice} (TMPDIR for temporary files), then run "
                "the same command again; finished stages are kept",
            ) from error
        if error.errno in _NOT_ALLOWED and _is_below(path, where):
            raise StorageError(
                f"not allowed to write {path}: {error.strerror}",
                hint=f"change the permissions or choose {choice}",
            ) from error
        if error.errno in _IN_THE_WAY and _is_below(path, where):
            raise StorageError(
                f"{path} is in the way: {error.strerror}",
                hint=f"move it away or choose {choice}",
            ) from error
        raise


def _path_of(error: OSError, where: Path) -> Path:
    return Path(error.filename) if isinstance(error.filename, str) else where


def _is_below(path: Path, where: Path) -> bool:
    return path.absolute().is_relative_to(where.absolute()) or where.absolute().is_relative_to(
        path.absolute()
    )


def _free_bytes(place: Path) -> int:
    folder = next(folder for folder in (place, *place.parents) if folder.is_dir())
    return shutil.disk_usage(folder).free


def json_bytes(value: Any) -> bytes:
    """The one JSON form of a value: sorted keys, two spaces, a final newline."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def write_file(path: Path, data: bytes) -> None:
    """Write `path` so that after a crash it holds the old content or all of the new."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=PARTIAL_PREFIX, dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.chmod(0o644)
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def make_partial_folder(parent: Path) -> Path:
    """A new private folder whose name marks it as unfinished."""
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=parent))


def remove_leftovers(parent: Path) -> int:
    """Remove what killed builds left unfinished directly below `parent`; how many there were.

    Only for the holder of the run directory's lock: another build's unfinished work looks the same.
    """
    leftovers = [path for path in parent.glob(f"{PARTIAL_PREFIX}*") if not path.is_symlink()]
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(leftovers)


def remove_folder(folder: Path) -> None:
    """Remove a folder such that a kill half-way leaves nothing that looks finished."""
    doomed = folder.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(8)}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def sync_tree(folder: Path) -> None:
    """Bring every file and folder below `folder` to the disk."""
    for root, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(root, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(root))


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
