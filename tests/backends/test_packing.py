"""Packed weights, read back field by field as the kernels' headers say."""

from __future__ import annotations

import numpy as np
import pytest

from edgeflow.backends.firmware.dsp_c.convolution import paired_words
from edgeflow.backends.firmware.packing import byte_words, interleaved_words, unpacked_bytes

WIDTHS = pytest.mark.parametrize("bits", [4, 2])


def _weights(bits: int, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(sum(shape))
    return rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int8)


def _field(word: int, at: int, bits: int) -> int:
    return (int(word) >> at) % 2**bits - 2 ** (bits - 1)


@WIDTHS
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 7, 8, 9, 33])
@pytest.mark.parametrize("outputs", range(1, 10))
def test_outputs_of_a_group_lie_in_both_halves_of_a_word(
    bits: int, outputs: int, taps: int
) -> None:
    rows = _weights(bits, (outputs, taps))
    words = interleaved_words(rows, bits)
    at = 0
    for first in range(0, outputs, 4):
        pairs = 1 if outputs - first in (1, 2) else 2
        taps_of_word = 16 // (bits * pairs)
        for output in range(first, min(first + 4, outputs)):
            pair, half = divmod(output - first, 2)
            for tap in range(taps):
                shift = bits * (tap % taps_of_word * pairs + pair) + 16 * half
                word = words[at + tap // taps_of_word]
                assert _field(word, shift, bits) == rows[output, tap]
        at += -(-taps // taps_of_word)
    assert at == len(words)


@WIDTHS
@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 17, 40])
def test_neighbouring_weights_lie_in_neighbouring_bytes(bits: int, count: int) -> None:
    values = _weights(bits, (count,))
    words = byte_words(values, bits)
    per_word = 32 // bits
    for i, value in enumerate(values):
        within = i % per_word
        shift = 8 * (within % 4) + bits * (within // 4)
        assert _field(words[i // per_word], shift, bits) == value
    assert unpacked_bytes(count, bits) == len(words) * per_word


@WIDTHS
@pytest.mark.parametrize(("outputs", "taps"), [(1, 1), (2, 4), (3, 9), (5, 8), (6, 27)])
def test_fields_of_a_word_are_the_words_of_int8_weights(bits: int, outputs: int, taps: int) -> None:
    rows = _weights(bits, (outputs, taps))
    block = 4 if bits == 4 else 8
    padded = np.pad(rows, ((0, outputs % 2), (0, -taps % block))).astype(np.int64)
    words = paired_words(rows, bits)
    for pair, stored in enumerate(words):
        for tap in range(padded.shape[1]):
            # Taps 0 and 2 of four are one word, 1 and 3 the next.
            four, within = divmod(tap, 4)
            word, lane = 2 * four + within % 2, within // 2
            for channel in range(2):
                shift = 16 * lane + 8 * channel + bits * (word % (8 // bits))
                found = _field(stored[word // (8 // bits)], shift, bits)
                assert found == padded[2 * pair + channel, tap]


@WIDTHS
def test_packed_weights_take_a_half_or_a_quarter_of_int8(bits: int) -> None:
    rows = _weights(bits, (16, 144))
    for words in (interleaved_words(rows, bits), byte_words(rows, bits), paired_words(rows, bits)):
        assert 4 * words.size == rows.size * bits // 8
