"""Caps that every model reader enforces before it converts anything."""

from __future__ import annotations

MAX_MODEL_BYTES = 256 * 1024 * 1024
MAX_TENSOR_ELEMENTS = 64 * 1024 * 1024
MAX_NODES = 20_000
MAX_TENSORS = 100_000
MAX_RANK = 8
