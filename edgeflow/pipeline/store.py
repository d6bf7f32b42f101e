"""The content-hash cache: outputs of stages, renamed into place whole and verified at every use."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.pipeline.storage import (
    PARTIAL_PREFIX,
    json_bytes,
    make_partial_folder,
    remove_folder,
    remove_leftovers,
    sync_folder,
    sync_tree,
    write_file,
)

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
KEPT_KEYS = 2  # the current key and the one before it, so that switching an option back is free


@dataclass(frozen=True)
class Entry:
    """Verified outputs of one stage. `digest` identifies their content, whatever the key."""

    stage: str
    key: str
    path: Path
    digest: str


@dataclass(frozen=True)
class Absent:
    """Nothing stands under the key."""


@dataclass(frozen=True)
class Outdated:
    """Outputs stand under the key but were made from other inputs."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Damaged:
    """Something stands under the key that cannot be trusted."""

    path: Path
    reason: str


Lookup = Entry | Absent | Outdated | Damaged


class DamageError(Exception):
    """Why an entry cannot be used."""


def entry_path(stages: Path, stage: str, key: str) -> Path:
    """Where the outputs of a stage under a key stand."""
    return stages / stage / key


def look_up(stages: Path, stage: str, key: str, reads: Mapping[str, str]) -> Lookup:
    """The entry under a key if every file hashes to its manifest; changes nothing on the disk.

    `reads` maps the stages that this one reads to the digests of their entries.
    """
    path = entry_path(stages, stage, key)
    if not path.is_dir():
        return Absent()
    try:
        manifest = _read_manifest(path / MANIFEST)
        if (manifest["stage"], manifest["key"]) != (stage, key):
            raise DamageError("its manifest belongs to another stage or key")
        _verify_files(path, manifest["files"])
    except DamageError as damage:
        return Damaged(path, str(damage))
    except OSError as error:
        return Damaged(path, f"it cannot be read ({error.strerror})")
    if manifest["reads"] != dict(reads):
        return Outdated(path, "it was made from other outputs of the stages before it")
    return Entry(stage, key, path, _digest(manifest["files"]))


def adopt(found: Entry, stages: Path) -> Entry:
    """The same entry below `stages` too, whole, its files linked where the disk allows it."""
    partial = make_partial_folder(stages)
    try:
        shutil.copytree(found.path, partial, copy_function=_link_or_copy, dirs_exist_ok=True)
        partial.chmod(0o755)
        sync_tree(partial)
        final = entry_path(stages, found.stage, found.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(final)
        sync_folder(final.parent)
    except BaseException:
        remove_folder(partial)
        raise
    return Entry(found.stage, found.key, final, found.digest)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def produce(
    stages: Path,
    stage: str,
    key: str,
    reads: Mapping[str, str],
    write_outputs: Callable[[Path], None],
) -> Entry:
    """Let `write_outputs` fill a private folder, then put it in place whole and synced."""
    partial = make_partial_folder(stages)
    try:
        write_outputs(partial)
        files = hash_files(partial)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "stage": stage,
            "key": key,
            "reads": dict(reads),
            "files": files,
        }
        write_file(partial / MANIFEST, json_bytes(manifest))
        partial.chmod(0o755)
        sync_tree(partial)
        final = entry_path(stages, stage, key)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            remove_folder(final)
        partial.rename(final)
        sync_folder(final.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Entry(stage, key, final, _digest(files))


def unfinished_path(unfinished: Path, stage: str, key: str) -> Path:
    """Where a stage keeps work to go on from; that of its other keys is removed."""
    own = unfinished / stage / key
    if own.parent.is_dir():
        for path in own.parent.iterdir():
            if path != own:
                remove_folder(path)
    return own


def discard_unfinished(unfinished: Path, stage: str) -> None:
    """Remove the work of a stage that is done, and the place of all such work with the last."""
    if (unfinished / stage).is_dir():
        shutil.rmtree(unfinished / stage)
        if not any(unfinished.iterdir()):
            unfinished.rmdir()


def discard(path: Path) -> None:
    """Remove an entry that must not be used."""
    remove_folder(path)


def remove_unfinished(stages: Path) -> int:
    """Remove what killed builds left behind; only for the holder of the lock."""
    if not stages.is_dir():
        return 0
    folders = [path for path in stages.iterdir() if path.is_dir() and not path.is_symlink()]
    unfinished = [path for path in folders if path.name.startswith(PARTIAL_PREFIX)]
    finished = [path for path in folders if path not in unfinished]
    return remove_leftovers(stages) + sum(remove_leftovers(path) for path in finished)


def mark_used(entry: Entry) -> None:
    """Note that an entry was used now; `prune` keeps the entries used last."""
    os.utime(entry.path)


def prune(stages: Path, current: Mapping[str, str]) -> int:
    """Keep the current key of each stage and the ones used last, `KEPT_KEYS` in all."""
    removed = 0
    for stage, key in current.items():
        folder = stages / stage
        others = [
            path
            for path in folder.iterdir()
            if path.name != key and not path.name.startswith(PARTIAL_PREFIX) and path.is_dir()
        ]
        others.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
        for path in others[KEPT_KEYS - 1 :]:
            discard(path)
            removed += 1
    return removed


def hash_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size in bytes and sha256 of every file below `folder` by POSIX path, without manifest."""
    return {name: row for name, row in hash_all_files(folder).items() if name != MANIFEST}


def hash_all_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size in bytes and sha256 of every file below `folder` by POSIX path."""
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": hash_file(path),
            "size": path.stat().st_size,
        }
        for path in _list_files(folder)
    }


def hash_file(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _list_files(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(root, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise DamageError(f"{path.relative_to(folder)} is neither a file nor a folder")
            if stat.S_ISREG(mode):
                found.append(path)
    return sorted(found)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        manifest = json.loads(content)
    except FileNotFoundError:
        raise DamageError("it has no manifest") from None
    except ValueError:
        raise DamageError("its manifest is not JSON") from None
    if json_bytes(manifest) != content:
        raise DamageError("its manifest was altered")
    if not isinstance(manifest, dict) or manifest.get("schema_version") != SCHEMA_VERSION:
        raise DamageError(f"its manifest is not of schema version {SCHEMA_VERSION}")
    if not (
        {"stage", "key", "reads", "files"} <= manifest.keys()
        and isinstance(manifest["files"], dict)
        and all(
            isinstance(row, dict) and {"sha256", "size"} <= row.keys()
            for row in manifest["files"].values()
        )
    ):
        raise DamageError("its manifest is incomplete")
    return manifest


def _verify_files(folder: Path, expected: Mapping[str, Mapping[str, Any]]) -> None:
    found = {path.relative_to(folder).as_posix(): path for path in _list_files(folder)}
    del found[MANIFEST]
    for name in sorted(expected.keys() - found.keys()):
        raise DamageError(f"{name} is missing")
    for name in sorted(found.keys() - expected.keys()):
        raise DamageError(f"{name} does not belong there")
    for name, path in found.items():
        size = path.stat().st_size
        if size != expected[name]["size"]:
            raise DamageError(f"{name} has {size} bytes instead of {expected[name]['size']}")
        if hash_file(path) != expected[name]["sha256"]:
            raise DamageError(f"{name} was altered")


def _digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    return hashlib.sha256(json_bytes(files)).hexdigest()
