"""Which file belongs to which part and class, from the folders alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from edgeflow.data.tree import FileTree
from edgeflow.errors import DataError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
WAV_SUFFIXES = frozenset({".wav", ".wave"})
UNREAD_SUFFIXES = frozenset(
    {".bmp", ".gif", ".webp", ".tif", ".tiff", ".heic", ".avif", ".ppm", ".pgm"}
    | {".mp3", ".flac", ".ogg", ".m4a", ".aac", ".aif", ".aiff", ".opus"}
)
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class ClassFolders:
    """For each part of the source, (file, label) in the order of the names."""

    classes: tuple[str, ...]
    parts: Mapping[str, tuple[tuple[str, int], ...]]


def class_folders(tree: FileTree, suffixes: frozenset[str]) -> ClassFolders:
    """Read `<class>/**/file`, or `<train|validation|test>/<class>/**/file`, below single wrappers.

    Folders whose name starts with "_" are left out (background noise of speech data sets). Raises
    DataError for files outside class folders, unreadable media types and empty class folders.
    """
    files = [_Entry(name) for name in tree.names if not _skipped(name)]
    unread = [f.name for f in files if f.suffix in UNREAD_SUFFIXES]
    if unread:
        raise DataError(
            f"{tree.where(unread[0])}: this file type is not read ({len(unread)} such files)",
            hint=f"convert to {' or '.join(sorted(suffixes))}, or move it elsewhere",
        )
    media = [f for f in files if f.suffix in suffixes]
    if not media:
        raise DataError(
            f"{tree.origin}: no {' or '.join(sorted(suffixes))} file in it",
            hint="give one folder for each class, with that class's files inside",
        )
    depth = _wrapper_depth(media)
    loose = [f.name for f in media if len(f.parts) < depth + 2]
    if loose:
        raise DataError(
            f"{tree.where(loose[0])}: outside any class folder ({len(loose)} such files)",
            hint="put every file into a folder named after its class",
        )
    first = {f.parts[depth] for f in media}
    has_parts = {n.lower() for n in first} <= PART_NAMES.keys()
    if has_parts and any(len(f.parts) < depth + 3 for f in media):
        raise DataError(
            f"{tree.origin}: {', '.join(sorted(first))} must hold one folder for each class",
            hint="lay files out as train/<class>/<file> and test/<class>/<file>",
        )
    class_depth = depth + has_parts
    _refuse_empty(tree, media, class_depth, suffixes)
    classes = tuple(sorted({f.parts[class_depth] for f in media}, key=_natural))
    labels = {name: index for index, name in enumerate(classes)}
    parts: dict[str, list[tuple[str, int]]] = {}
    for f in media:
        part = PART_NAMES[f.parts[depth].lower()] if has_parts else "train"
        parts.setdefault(part, []).append((f.name, labels[f.parts[class_depth]]))
    if "train" not in parts:
        raise DataError(
            f"{tree.origin}: {', '.join(sorted(first))} without a train folder",
            hint="add train/<class>/<file>, or give the class folders directly",
        )
    return ClassFolders(classes, {part: tuple(entries) for part, entries in parts.items()})


class _Entry:
    """A file's name, split once."""

    def __init__(self, name: str) -> None:
        path = PurePosixPath(name)
        self.name, self.parts, self.suffix = name, path.parts, path.suffix.lower()


def _skipped(name: str) -> bool:
    return any(part.startswith("_") for part in PurePosixPath(name).parts[:-1])


def _wrapper_depth(media: list[_Entry]) -> int:
    """Number of leading folders that all files share, a class folder always left over."""
    depth = 0
    while (
        all(len(f.parts) > depth + 2 for f in media)
        and len({f.parts[depth] for f in media}) == 1
        and media[0].parts[depth].lower() not in PART_NAMES
    ):
        depth += 1
    return depth


def _refuse_empty(
    tree: FileTree, media: list[_Entry], class_depth: int, suffixes: frozenset[str]
) -> None:
    filled = {f.parts[: class_depth + 1] for f in media}
    wrapper = media[0].parts[: class_depth if class_depth == 0 else class_depth - 1]
    for name in tree.folders:
        parts = PurePosixPath(name).parts
        if (
            len(parts) == class_depth + 1
            and parts[: len(wrapper)] == wrapper
            and parts not in filled
            and not _skipped(f"{name}/file")
        ):
            raise DataError(
                f"{tree.where(name)}: class folder without a {' or '.join(sorted(suffixes))} file",
                hint="add samples of the class, or remove the folder",
            )


def _natural(name: str) -> tuple[int, int, str]:
    """Numbers by value before names by spelling: 0, 1, 2, 10, cat."""
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)
