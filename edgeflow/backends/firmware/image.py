"""Firmware images: the linked ELF file, read with a small reader of 32-bit little-endian ELF."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.backends.firmware.source import LayerSymbol
from edgeflow.errors import BundleError
from edgeflow.targets.schema import InstructionSet

STACK_SECTION = ".stack"

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SEGMENT = struct.Struct("<IIIIIIII")
_SECTION = struct.Struct("<IIIIIIIIII")
_SYMBOL = struct.Struct("<IIIBBH")

_MACHINES = {40: InstructionSet.THUMB, 243: InstructionSet.RISCV}
_SEGMENT_LOAD = 1
_SECTION_SYMBOLS = 2
_SECTION_NO_BITS = 8
_FLAG_WRITE = 1
_FLAG_ALLOCATED = 2
_SYMBOL_FUNCTION = 2
_SYMBOL_FILE = 4
_LEAST_BYTES = 64  # a vector table, or startup code
_ADDRESS_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Symbol:
    """A named place of the image: address (Thumb bit cleared) and size in bytes."""

    name: str
    address: int
    size_bytes: int
    is_function: bool


@dataclass(frozen=True)
class Section:
    """A section in target memory; `is_loaded` ones also occupy flash at `load_address`."""

    name: str
    address: int
    load_address: int
    size_bytes: int
    is_loaded: bool
    is_writable: bool


@dataclass(frozen=True)
class FirmwareImage:
    """A linked firmware, ready to flash.

    `bin` is what is programmed at `load_address`. `flash_bytes` is its size, `ram_bytes` the static
    RAM (.data and .bss, stack excluded), `stack_bytes` the RAM reserved for the stack.
    """

    elf: bytes
    bin: bytes
    instruction_set: InstructionSet
    load_address: int
    symbols: Mapping[str, Symbol]
    sections: tuple[Section, ...]
    layers: tuple[LayerSymbol, ...]
    input_bytes: int
    output_bytes: int
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int

    def symbol_at(self, address: int) -> Symbol | None:
        """The function or variable that covers an address, if any."""
        for symbol in self.symbols.values():
            if symbol.address <= address < symbol.address + symbol.size_bytes:
                return symbol
        return None


def read_image(
    elf: bytes, layers: tuple[LayerSymbol, ...], input_bytes: int, output_bytes: int
) -> FirmwareImage:
    """The image that an ELF file holds.

    Raises BundleError when the file is no 32-bit little-endian executable for Arm or RISC-V,
    or is damaged.
    """
    try:
        segments, sections, symbols = _read_elf(elf)
        load_address, binary = _flatten(elf, segments)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise BundleError(
            f"The firmware's ELF file ({len(elf)} bytes) cannot be read: {error}.",
            hint="Build the firmware again.",
        ) from error
    ram_sections = [s for s in sections if s.is_writable and s.name != STACK_SECTION]
    ram_start = min((s.address for s in ram_sections), default=0)
    ram_end = max((s.address + s.size_bytes for s in ram_sections), default=0)
    return FirmwareImage(
        elf=elf,
        instruction_set=_MACHINES[_HEADER.unpack_from(elf)[2]],
        bin=binary,
        load_address=load_address,
        symbols=symbols,
        sections=sections,
        layers=layers,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        flash_bytes=len(binary),
        ram_bytes=ram_end - ram_start,
        stack_bytes=sum(s.size_bytes for s in sections if s.name == STACK_SECTION),
    )


@dataclass(frozen=True)
class _Segment:
    offset: int
    address: int
    load_address: int
    file_bytes: int
    memory_bytes: int


def _read_elf(
    elf: bytes,
) -> tuple[tuple[_Segment, ...], tuple[Section, ...], dict[str, Symbol]]:
    header = _HEADER.unpack_from(elf)
    if header[0][:6] != b"\x7fELF\x01\x01" or header[2] not in _MACHINES:
        raise ValueError("it is no 32-bit little-endian ELF file for Arm or RISC-V")
    segment_offset, section_offset, segment_count = header[5], header[6], header[10]
    section_count, names_index = header[12], header[13]
    segments = tuple(
        _Segment(offset, address, load_address, file_bytes, memory_bytes)
        for kind, offset, address, load_address, file_bytes, memory_bytes, _, _ in (
            _SEGMENT.unpack_from(elf, segment_offset + i * _SEGMENT.size)
            for i in range(segment_count)
        )
        if kind == _SEGMENT_LOAD
    )
    headers = [
        _SECTION.unpack_from(elf, section_offset + i * _SECTION.size) for i in range(section_count)
    ]
    names_offset = headers[names_index][4]
    sections = tuple(
        Section(
            name=_text(elf, names_offset + h[0]),
            address=h[3],
            load_address=_load_address(segments, h[3]),
            size_bytes=h[5],
            is_loaded=h[1] != _SECTION_NO_BITS,
            is_writable=bool(h[2] & _FLAG_WRITE),
        )
        for h in headers
        if h[2] & _FLAG_ALLOCATED and h[5] > 0
    )
    symbols: dict[str, Symbol] = {}
    for table in (h for h in headers if h[1] == _SECTION_SYMBOLS):
        strings_offset = headers[table[6]][4]
        for offset in range(table[4], table[4] + table[5], _SYMBOL.size):
            symbol = _read_symbol(elf, offset, strings_offset)
            if symbol is None:
                continue
            if symbol.name in symbols:  # functions of one name, static in several files
                symbols[f"{symbol.name}@{symbols[symbol.name].address:#x}"] = symbols[symbol.name]
            symbols[symbol.name] = symbol
    return segments, sections, dict(sorted(symbols.items()))


def _read_symbol(elf: bytes, offset: int, strings_offset: int) -> Symbol | None:
    name_offset, value, size, info, _, _ = _SYMBOL.unpack_from(elf, offset)
    name = _text(elf, strings_offset + name_offset)
    if not name or name.startswith("$"):  # "$t", "$d": where code and literals begin, not places
        return None
    if info & 0xF == _SYMBOL_FILE:
        return None
    is_function = info & 0xF == _SYMBOL_FUNCTION
    return Symbol(name, value & ~1 if is_function else value, size, is_function)


def _load_address(segments: tuple[_Segment, ...], address: int) -> int:
    for segment in segments:
        if segment.address <= address < segment.address + segment.memory_bytes:
            return segment.load_address + address - segment.address
    return address


def _flatten(elf: bytes, segments: tuple[_Segment, ...]) -> tuple[int, bytes]:
    loaded = [s for s in segments if s.file_bytes]
    if not loaded:
        raise ValueError("it loads nothing")
    start = min(s.load_address for s in loaded)
    end = max(s.load_address + s.file_bytes for s in loaded)
    if end - start < _LEAST_BYTES:
        raise ValueError("it has no startup code")
    if end - start > _ADDRESS_LIMIT_BYTES:
        raise ValueError(f"its segments spread over {end - start} bytes")
    content = bytearray(end - start)
    for segment in loaded:
        data = elf[segment.offset : segment.offset + segment.file_bytes]
        if len(data) != segment.file_bytes:
            raise ValueError("it is truncated")
        at = segment.load_address - start
        content[at : at + len(data)] = data
    return start, bytes(content)


def _text(elf: bytes, offset: int) -> str:
    return elf[offset : elf.index(b"\0", offset)].decode()
