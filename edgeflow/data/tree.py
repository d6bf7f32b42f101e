"""Files below a folder or inside an archive, read in memory; nothing is ever extracted to disk."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgeflow.errors import DataError

MAX_MEMBERS = 2_000_000
MAX_RATIO = 200  # decompressed over compressed; looked at above RATIO_FREE_BYTES only
RATIO_FREE_BYTES = 64 * 1024**2
ARCHIVE_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
# What the zipfile module raises on damaged archives; RuntimeError covers methods it does not know.
_ZIP_FAILURES = (
    *(zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError),
    *(struct.error, zlib.error),
)
_IGNORED = re.compile(r"(^|/)(\.|__MACOSX(/|$)|Thumbs\.db$|desktop\.ini$)")


@dataclass(frozen=True)
class FileTree:
    """Relative POSIX paths of files and folders, both sorted; `read` gives a file's bytes.

    `origin` is the path as the user gave it. Hidden and desktop files are left out.
    """

    origin: str
    names: tuple[str, ...]
    folders: tuple[str, ...]
    read: Callable[[str], bytes]

    @property
    def name(self) -> str:
        """Name of the folder or archive without its path."""
        return Path(self.origin).resolve().name

    def where(self, name: str) -> str:
        """How messages name a file of this tree."""
        return f"{self.origin}/{name}"


@contextmanager
def open_tree(path: Path, max_bytes: int) -> Iterator[FileTree]:
    """The tree of a folder, a .zip or a .tar.gz; readable inside the context only.

    `max_bytes` caps the sum of decompressed sizes. Raises DataError for anything that is neither,
    or that is corrupt or hostile.
    """
    if path.is_dir():
        yield _folder(path, max_bytes)
    elif zipfile.is_zipfile(path):
        with _opened_zip(path) as archive:
            yield _zip(archive, path, max_bytes)
    elif path.is_file() and _first_bytes(path, 2) == b"\x1f\x8b":
        yield _tar_gz(path, max_bytes)
    else:
        raise DataError(
            f"{path}: neither a folder nor a zip, tar.gz or npz file, or a truncated one",
            hint="data may be class folders of PNG, JPEG or WAV files (or a zip of them), an .npz, "
            "CIFAR-10's binary files, or MNIST's idx files",
        )


def _first_bytes(path: Path, count: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _folder(root: Path, max_bytes: int) -> FileTree:
    names: list[str] = []
    folders: list[str] = []
    visited: set[str] = set()

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error

    for current, subfolders, files in os.walk(root, onerror=refuse, followlinks=True):
        real = os.path.realpath(current)
        if real in visited:  # a link back into the tree
            subfolders.clear()
            continue
        visited.add(real)
        relative = Path(current).relative_to(root)
        folders += [(relative / name).as_posix() for name in subfolders]
        names += [(relative / name).as_posix() for name in files]
        if len(names) > MAX_MEMBERS:
            raise DataError(f"{root}: more than {MAX_MEMBERS} files")

    def read(name: str) -> bytes:
        file = root / name
        try:
            information = file.stat()
            if not stat.S_ISREG(information.st_mode):
                raise DataError(f"{file}: not a regular file")
            if information.st_size > max_bytes:
                raise DataError(f"{file}: {information.st_size} bytes, more than {max_bytes}")
            return file.read_bytes()
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror})") from error

    return FileTree(str(root), _visible(names), _visible(folders), read)


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _ZIP_FAILURES as error:
        raise DataError(
            f"{path}: damaged zip archive ({error})", hint="fetch or write the file again"
        ) from error


def _zip(archive: zipfile.ZipFile, path: Path, max_bytes: int) -> FileTree:
    members = archive.infolist()
    _check_names(path, [m.orig_filename for m in members])
    for member in members:
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _hostile(path, member.filename, "is a link or a device")
        if member.flag_bits & 0x1:
            raise DataError(
                f"{path}: member {member.filename!r} is encrypted",
                hint="write it without a password",
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{path}: member {member.filename!r} uses compression {member.compress_type}",
                hint="write the zip with deflate, which every tool has",
            )
    size = path.stat().st_size
    total = sum(m.file_size for m in members)
    _check_size(path, total, size, max_bytes)
    if sum(m.compress_size for m in members) > size:
        raise DataError(f"{path}: members overlap inside the archive; it looks like a zip bomb")
    by_name = {str(PurePosixPath(m.filename)): m for m in members if not m.is_dir()}

    def read(name: str) -> bytes:
        try:
            with archive.open(by_name[name]) as file:
                return file.read(by_name[name].file_size + 1)
        except _ZIP_FAILURES as error:
            raise DataError(
                f"{path}: member {name!r} cannot be read ({error})",
                hint="fetch or write the archive again",
            ) from error

    folders = {str(p) for m in members for p in _parents(m.filename)}
    return FileTree(str(path), _visible(by_name), _visible(folders), read)


class _Capped(io.RawIOBase):
    """Passes reads on and refuses to give more than `limit` bytes in all."""

    def __init__(self, source: gzip.GzipFile, path: Path, limit: int) -> None:
        self._source, self._path, self._left = source, path, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"{self._path}: decompresses to more than its limit; refused")
        return data


def _tar_gz(path: Path, max_bytes: int) -> FileTree:
    limit = min(max_bytes, max(RATIO_FREE_BYTES, MAX_RATIO * path.stat().st_size))
    contents: dict[str, bytes] = {}
    folders: set[str] = set()
    try:
        with (
            gzip.open(path) as source,
            tarfile.open(fileobj=_Capped(source, path, limit), mode="r|") as archive,
        ):
            for member in archive:
                name = str(PurePosixPath(member.name))
                if member.isdir() and name == ".":
                    continue
                _check_names(path, [member.name])
                folders |= {str(p) for p in _parents(member.name)}
                if member.isdir():
                    folders.add(name)
                elif not member.isreg():
                    raise _hostile(path, name, "is a link or a device")
                elif name in contents:
                    raise _hostile(path, name, "occurs twice")
                else:
                    contents[name] = _member(archive, member, path)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{path}: damaged tar.gz archive ({error})", hint="fetch or write the file again"
        ) from error
    return FileTree(str(path), _visible(contents), _visible(folders), contents.__getitem__)


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    file = archive.extractfile(member)
    data = file.read() if file is not None else b""
    if len(data) != member.size:
        raise DataError(f"{path}: truncated inside member {member.name!r}")
    return data


def _check_names(path: Path, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        parts = PurePosixPath(name).parts
        if not parts or "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name):
            raise _hostile(path, name, "is not a plain relative path")
        if name.startswith("/") or ".." in parts:
            raise _hostile(path, name, "points outside the archive")
        if name in seen:
            raise _hostile(path, name, "occurs twice")
        seen.add(name)
        if name.lower().endswith(ARCHIVE_SUFFIXES) and not name.endswith("-ubyte.gz"):
            raise DataError(
                f"{path}: member {name!r} is itself an archive",
                hint="unpack it, and give the folder or an archive of plain files",
            )
    if len(seen) > MAX_MEMBERS:
        raise DataError(f"{path}: more than {MAX_MEMBERS} members")


def _check_size(path: Path, total: int, compressed: int, max_bytes: int) -> None:
    if total > max_bytes:
        raise DataError(
            f"{path}: {total} bytes when decompressed, more than the limit of {max_bytes}",
            hint="raise max_decoded_bytes if this is meant and memory suffices",
        )
    if total > RATIO_FREE_BYTES and total > MAX_RATIO * compressed:
        raise DataError(
            f"{path}: decompresses from {compressed} to {total} bytes; it looks like a zip bomb",
            hint="unpack it yourself and give the folder, if this is meant",
        )


def _hostile(path: Path, name: str, why: str) -> DataError:
    return DataError(
        f"{path}: member {name!r} {why}", hint="the archive was refused whole; nothing was written"
    )


def _parents(name: str) -> list[PurePosixPath]:
    path = PurePosixPath(name)
    chain = [path, *path.parents] if name.endswith("/") else list(path.parents)
    return [p for p in chain if str(p) != "."]


def _visible(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(n for n in names if not _IGNORED.search(n)))
