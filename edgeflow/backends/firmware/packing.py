"""int4 and int2 weights as the words in which kernels read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.graph.ir import Tensor

INTERLEAVED_OUTPUTS = 4
_WORD_BITS = 32


def stored_bits(weights: Tensor) -> int:
    """Bits of a weight in flash: 8, 4 or 2; narrower ones take the next of these."""
    return next(bits for bits in (2, 4, 8) if weights.bits <= bits)


def stored_zero(bits: int) -> int:
    """What is added to a weight so that no field is negative."""
    return 1 << (bits - 1)


def interleaved_words(rows: NDArray[np.int8], bits: int) -> NDArray[np.int64]:
    """Weights [out, taps] in the order of `edgeflow_packed_sums`, flat.

    Groups of four outputs, and at the end one of two where only one or two are left.
    """
    outputs = len(rows)
    left = outputs % INTERLEAVED_OUTPUTS
    last = 2 if left in (1, 2) else INTERLEAVED_OUTPUTS
    whole = outputs - left
    groups = [_group_words(g, bits) for g in rows[:whole].reshape(-1, 4, rows.shape[1])]
    if left:
        padding = np.zeros((last - left, rows.shape[1]), np.int8)
        groups.append(_group_words(np.concatenate([rows[whole:], padding]), bits))
    return np.concatenate(groups)


def _group_words(rows: NDArray[np.int8], bits: int) -> NDArray[np.int64]:
    """Words of two or four outputs: even ones in the low half, odd ones in the high half."""
    outputs, taps = rows.shape
    fields_of_half = _WORD_BITS // 2 // bits
    taps_of_word = fields_of_half // (outputs // 2)
    fields = np.pad(rows.astype(np.int64) + stored_zero(bits), ((0, 0), (0, -taps % taps_of_word)))
    # [pair, half, word, tap] to [word, tap, pair, half]
    split = fields.reshape(outputs // 2, 2, -1, taps_of_word).transpose(2, 3, 0, 1)
    halves = split.reshape(-1, fields_of_half, 2)
    shifts = bits * np.arange(fields_of_half)
    low, high = ((halves[..., half] << shifts).sum(axis=1) for half in range(2))
    words: NDArray[np.int64] = low | high << (_WORD_BITS // 2)
    return words


def byte_words(values: NDArray[np.int8], bits: int) -> NDArray[np.int64]:
    """Weights, flat, in the order of `edgeflow_int4_unpack`.

    The lowest fields of a word's bytes hold four neighbouring weights, the next fields the next
    four.
    """
    fields_of_byte = 8 // bits
    flat = values.astype(np.int64).reshape(-1) + stored_zero(bits)
    padded = np.pad(flat, (0, -flat.size % (4 * fields_of_byte)))
    fields = padded.reshape(-1, fields_of_byte, 4)
    shifts = bits * np.arange(fields_of_byte)[:, None] + 8 * np.arange(4)
    words: NDArray[np.int64] = (fields << shifts).sum(axis=(1, 2))
    return words


def unpacked_bytes(count: int, bits: int) -> int:
    """Working memory for that many weights as int8: whole packed words of them."""
    weights_of_word = _WORD_BITS // bits
    return -(-count // weights_of_word) * weights_of_word
