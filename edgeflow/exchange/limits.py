"""Caps that every model reader enforces before it converts anything."""

from __future__ import annotations

MAX_MODEL_BYTES = 256 * 1024 * 1024
MAX_TENSOR_ELEMENTS = 64 * 1024 * 1024
MAX_NODES = 20_000
MAX_TENSORS = 100_000
MAX_RANK = 8
MAX_CONCATENATION_INPUTS = 4096
MAX_NAME_BYTES = 64 * 1024
# Everything in a file but the data of its constants: names, shapes, parameters, indices.
MAX_STRUCTURE_BYTES = 16 * 1024 * 1024
# Constants may share data; together they may be this many times as large as the file.
MAX_CONSTANT_SHARING = 4
