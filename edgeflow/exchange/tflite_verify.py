"""Bounds checks over the FlatBuffers tables of a `.tflite` file, before anything reads them.

The generated readers of the `tflite` package follow whatever offset stands in the file. This walks
the tables that we read once, along the schema below, and makes sure that every table, vector and
string lies inside the file and that all of them together stay below the limits. Fields that we do
not read are not visited.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import tflite

from edgeflow.errors import ModelError
from edgeflow.exchange.limits import (
    MAX_MODEL_BYTES,
    MAX_NAME_BYTES,
    MAX_NODES,
    MAX_STRUCTURE_BYTES,
    MAX_TENSORS,
)

FILE_IDENTIFIER = b"TFL3"
_HEADER_BYTES = 8
DAMAGED_HINT = "the file is truncated, damaged or no .tflite file; export the model again"


@dataclass(frozen=True)
class Scalar:
    """A number stored in the table itself."""

    size_bytes: int


@dataclass(frozen=True)
class Text:
    """A string."""


@dataclass(frozen=True)
class Numbers:
    """A vector of numbers."""

    item_bytes: int


@dataclass(frozen=True)
class Payload:
    """A byte vector that is never copied while reading, so its size counts for nothing."""


@dataclass(frozen=True)
class Child:
    """An offset to one table."""

    table: Table


@dataclass(frozen=True)
class Children:
    """A vector of offsets to tables."""

    table: Table
    max_items: int


@dataclass(frozen=True)
class Union:
    """An offset to a table whose type stands in another field; unknown types are not visited."""

    type_slot: int
    tables: Mapping[int, Table]


Kind = Scalar | Text | Numbers | Payload | Child | Children | Union


@dataclass(frozen=True)
class Table:
    """A table type of the schema: the fields that we read, by their vtable slot."""

    name: str
    fields: Mapping[int, Kind] = field(default_factory=dict)


_BYTE, _INT, _LONG = Scalar(1), Scalar(4), Scalar(8)
_INTS = Numbers(4)

OPTION_TABLES: Mapping[int, Table] = {
    tflite.BuiltinOptions.Conv2DOptions: Table(
        "Conv2DOptions", {4: _BYTE, 6: _INT, 8: _INT, 10: _BYTE, 12: _INT, 14: _INT}
    ),
    tflite.BuiltinOptions.DepthwiseConv2DOptions: Table(
        "DepthwiseConv2DOptions",
        {4: _BYTE, 6: _INT, 8: _INT, 10: _INT, 12: _BYTE, 14: _INT, 16: _INT},
    ),
    tflite.BuiltinOptions.Pool2DOptions: Table(
        "Pool2DOptions", {4: _BYTE, 6: _INT, 8: _INT, 10: _INT, 12: _INT, 14: _BYTE}
    ),
    tflite.BuiltinOptions.FullyConnectedOptions: Table(
        "FullyConnectedOptions", {4: _BYTE, 6: _BYTE, 8: _BYTE}
    ),
    tflite.BuiltinOptions.AddOptions: Table("AddOptions", {4: _BYTE}),
    tflite.BuiltinOptions.MulOptions: Table("MulOptions", {4: _BYTE}),
    tflite.BuiltinOptions.ConcatenationOptions: Table("ConcatenationOptions", {4: _INT, 6: _BYTE}),
    tflite.BuiltinOptions.SoftmaxOptions: Table("SoftmaxOptions", {4: _INT}),
    tflite.BuiltinOptions.ReducerOptions: Table("ReducerOptions", {4: _BYTE}),
}
_QUANTIZATION = Table(
    "QuantizationParameters", {8: Numbers(4), 10: Numbers(8), 12: _BYTE, 16: _INT}
)
_TENSOR = Table(
    "Tensor",
    {
        4: _INTS,
        6: _BYTE,
        8: _INT,
        10: Text(),
        12: Child(_QUANTIZATION),
        14: _BYTE,
        16: Child(Table("SparsityParameters")),
        18: _INTS,
    },
)
_OPERATOR = Table(
    "Operator", {4: _INT, 6: _INTS, 8: _INTS, 10: _BYTE, 12: Union(10, OPTION_TABLES)}
)
_SUBGRAPH = Table(
    "SubGraph",
    {
        4: Children(_TENSOR, MAX_TENSORS),
        6: _INTS,
        8: _INTS,
        10: Children(_OPERATOR, MAX_NODES),
        12: Text(),
    },
)
_MODEL = Table(
    "Model",
    {
        4: _INT,
        6: Children(Table("OperatorCode", {4: _BYTE, 6: Text(), 8: _INT, 10: _INT}), MAX_NODES),
        8: Children(_SUBGRAPH, 1),
        12: Children(Table("Buffer", {4: Payload(), 6: _LONG, 8: _LONG}), MAX_TENSORS),
        16: Children(Table("Metadata", {4: Text(), 6: _INT}), MAX_NODES),
    },
)


def verify(data: bytes) -> None:
    """Check that everything that we read of the file lies inside it.

    Raises ModelError: not a `.tflite` file, damaged, larger than the limits, several subgraphs.
    """
    if len(data) > MAX_MODEL_BYTES:
        raise ModelError(
            f"the .tflite file has {len(data)} bytes, more than the {MAX_MODEL_BYTES} allowed",
            hint="edgeflow deploys to microcontrollers; pass a smaller model",
        )
    if len(data) < _HEADER_BYTES or data[4:8] != FILE_IDENTIFIER:
        raise ModelError(
            f"not a .tflite file: {len(data)} bytes, identifier {data[4:8]!r} instead of "
            f"{FILE_IDENTIFIER!r}",
            hint=DAMAGED_HINT,
        )
    walk = _Walk(data)
    walk.table(walk.number("I", 0, "root"), _MODEL, "Model")


class _Walk:
    """One pass over a file; `left_bytes` is what it may still read of its structure."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left_bytes = MAX_STRUCTURE_BYTES

    def number(self, letter: str, position: int, where: str) -> int:
        self._inside(position, struct.calcsize(letter), where)
        return int(struct.unpack_from("<" + letter, self.data, position)[0])

    def table(self, position: int, table: Table, where: str) -> None:
        vtable = position - self.number("i", position, where)
        vtable_bytes = self.number("H", vtable, where)
        table_bytes = self.number("H", vtable + 2, where)
        self._inside(vtable, vtable_bytes, where)
        self._inside(position, table_bytes, where)
        if vtable_bytes < 4:
            raise _damaged(where, f"its vtable has {vtable_bytes} bytes")
        self._spend(table_bytes, where)
        offsets = {
            slot: self.number("H", vtable + slot, where)
            for slot in table.fields
            if slot + 2 <= vtable_bytes
        }
        for slot, kind in table.fields.items():
            offset = offsets.get(slot, 0)
            if offset:
                self._field(position, offset, table_bytes, kind, offsets, f"{where}.{slot}")

    def _field(
        self,
        table: int,
        offset: int,
        table_bytes: int,
        kind: Kind,
        offsets: Mapping[int, int],
        where: str,
    ) -> None:
        size = kind.size_bytes if isinstance(kind, Scalar) else 4
        if offset < 4 or offset + size > table_bytes:
            raise _damaged(where, f"offset {offset} in a table of {table_bytes} bytes")
        if isinstance(kind, Scalar):
            return
        target = table + offset + self.number("I", table + offset, where)
        match kind:
            case Text():
                length = self._vector(target, 1, where)
                if length > MAX_NAME_BYTES:
                    raise _damaged(where, f"a name of {length} bytes (at most {MAX_NAME_BYTES})")
                self._spend(length, where)
            case Numbers(item_bytes=item_bytes):
                self._spend(self._vector(target, item_bytes, where) * item_bytes, where)
            case Payload():
                self._vector(target, 1, where)
            case Child(table=child):
                self.table(target, child, f"{where} ({child.name})")
            case Children():
                self._children(target, kind, where)
            case Union(type_slot=type_slot, tables=tables):
                type_offset = offsets.get(type_slot, 0)
                code = self.number("B", table + type_offset, where) if type_offset else 0
                if code in tables:
                    self.table(target, tables[code], f"{where} ({tables[code].name})")

    def _children(self, position: int, kind: Children, where: str) -> None:
        count = self._vector(position, 4, where)
        if count > kind.max_items:
            raise ModelError(
                f"the .tflite file has {count} {kind.table.name} tables, more than the "
                f"{kind.max_items} allowed",
                hint="only models with one subgraph (no control flow) of moderate size are read",
            )
        for index in range(count):
            entry = position + 4 + 4 * index
            target = entry + self.number("I", entry, where)
            self.table(target, kind.table, f"{kind.table.name} {index}")

    def _vector(self, position: int, item_bytes: int, where: str) -> int:
        """The number of items of the vector at `position`, all inside the file."""
        count = self.number("I", position, where)
        self._inside(position + 4, count * item_bytes, where)
        return count

    def _inside(self, position: int, size: int, where: str) -> None:
        if position < 0 or position + size > len(self.data):
            raise _damaged(
                where, f"bytes {position} to {position + size} of a file of {len(self.data)} bytes"
            )

    def _spend(self, size: int, where: str) -> None:
        self.left_bytes -= size
        if self.left_bytes < 0:
            raise _damaged(
                where, f"names, shapes and parameters of more than {MAX_STRUCTURE_BYTES} bytes"
            )


def _damaged(where: str, what: str) -> ModelError:
    return ModelError(f"the .tflite file is damaged: {where}: {what}", hint=DAMAGED_HINT)
