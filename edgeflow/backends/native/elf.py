"""What a 64-bit ELF file says of itself: instruction set, memory, and what it needs to be there.

The format: System V ABI, chapters 4 and 5; symbol versions: Linux Standard Base, Core, chapter
Symbol Versioning.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from edgeflow.backends.native.program import INSTRUCTION_SETS
from edgeflow.errors import BundleError
from edgeflow.targets.schema import InstructionSet

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_NEED = struct.Struct("<HHIII")
_NEED_VERSION = struct.Struct("<IHHII")

_LOADED, _DYNAMIC_SEGMENT, _INTERPRETER = 1, 2, 3
_END, _NEEDED, _STRINGS, _VERSIONS, _VERSION_COUNT = 0, 1, 5, 0x6FFFFFFE, 0x6FFFFFFF
_MOST_LIBRARIES = 256
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")


@dataclass(frozen=True)
class ElfFile:
    """`memory_bytes` are all loaded segments, `libraries` the shared objects that it needs.

    `versions` are the symbol versions that it asks of them. A static program needs none.
    """

    instruction_set: InstructionSet
    memory_bytes: int
    is_static: bool
    libraries: tuple[str, ...]
    versions: tuple[str, ...]

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The newest version of glibc that it asks for."""
        found = (_GLIBC.fullmatch(version) for version in self.versions)
        return max(((int(m[1]), int(m[2])) for m in found if m), default=None)


def read_elf(content: bytes) -> ElfFile:
    """What the file says; raises BundleError for what is no 64-bit ELF file or is damaged."""
    try:
        return _read(content)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise BundleError(
            f"The program's ELF file ({len(content)} bytes) cannot be read: {error}.",
            hint="Build it again.",
        ) from error


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    file_bytes: int
    memory_bytes: int


def _read(content: bytes) -> ElfFile:
    header = _HEADER.unpack_from(content)
    if header[0][:6] != b"\x7fELF\x02\x01" or header[2] not in INSTRUCTION_SETS:
        raise ValueError("it is no 64-bit little-endian ELF file for x86-64 or AArch64")
    segments = [
        _Segment(kind, offset, address, file_bytes, memory_bytes)
        for kind, _, offset, address, _, file_bytes, memory_bytes, _ in (
            _SEGMENT.unpack_from(content, header[5] + index * _SEGMENT.size)
            for index in range(header[10])
        )
    ]
    loaded = [segment for segment in segments if segment.kind == _LOADED]
    if any(segment.offset + segment.file_bytes > len(content) for segment in loaded):
        raise ValueError("it is truncated")
    entries = list(_dynamic_entries(content, segments))
    strings = next((value for tag, value in entries if tag == _STRINGS), None)

    def text(offset: int) -> str:
        if strings is None:
            raise ValueError("it has no table of strings")
        start = _file_offset(loaded, strings) + offset
        return content[start : content.index(b"\0", start)].decode()

    needs = next((value for tag, value in entries if tag == _VERSIONS), None)
    count = next((value for tag, value in entries if tag == _VERSION_COUNT), 0)
    names = [] if needs is None else _version_names(content, _file_offset(loaded, needs), count)
    return ElfFile(
        instruction_set=INSTRUCTION_SETS[header[2]],
        memory_bytes=sum(segment.memory_bytes for segment in loaded),
        is_static=not any(segment.kind == _INTERPRETER for segment in segments)
        and not any(tag == _NEEDED for tag, _ in entries),
        libraries=tuple(text(value) for tag, value in entries if tag == _NEEDED),
        versions=tuple(sorted({text(name) for name in names})),
    )


def _dynamic_entries(content: bytes, segments: list[_Segment]) -> Iterator[tuple[int, int]]:
    for segment in segments:
        if segment.kind != _DYNAMIC_SEGMENT:
            continue
        for at in range(segment.offset, segment.offset + segment.file_bytes, _DYNAMIC.size):
            tag, value = _DYNAMIC.unpack_from(content, at)
            if tag == _END:
                return
            yield tag, value


def _version_names(content: bytes, at: int, count: int) -> list[int]:
    """Offsets of the names of all versions that are needed, in the table of strings."""
    found = []
    if count > _MOST_LIBRARIES:
        raise ValueError(f"it names {count} libraries")
    for _ in range(count):
        _, versions, _, first, step = _NEED.unpack_from(content, at)
        inner = at + first
        for _ in range(versions):
            _, _, _, name, inner_step = _NEED_VERSION.unpack_from(content, inner)
            found.append(name)
            inner += inner_step
        at += step
    return found


def _file_offset(loaded: list[_Segment], address: int) -> int:
    for segment in loaded:
        if segment.address <= address < segment.address + segment.file_bytes:
            return segment.offset + address - segment.address
    raise ValueError(f"address {address:#x} is in no segment")
