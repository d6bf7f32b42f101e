"""Small data files made from scikit-learn's real digits."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits


def digit_images(count: int, size: int = 8) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`count` digits as 8-bit gray images [N, size, size], values 0 to 240, and their labels."""
    bunch = load_digits()
    images = (bunch.images[:count] * 15).astype(np.uint8)
    factor = size // 8
    return images.repeat(factor, axis=1).repeat(factor, axis=2), bunch.target[:count].astype(int)


def image_bytes(pixels: NDArray[np.generic], form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def image_files(count: int, prefix: str = "") -> dict[str, bytes]:
    """Class folders of PNG digits: name to content."""
    images, labels = digit_images(count)
    return {
        f"{prefix}{label}/{index:04d}.png": image_bytes(image)
        for index, (image, label) in enumerate(zip(images, labels, strict=True))
    }


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def wav_bytes(samples: NDArray[np.float64], rate: int = 8000, channels: int = 1) -> bytes:
    """16-bit PCM of samples in -1 to 1, [N] or [N, channels]."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()


def tone_files(per_class: int, rate: int = 8000) -> dict[str, bytes]:
    """Two classes of tones, each file of its own frequency."""
    time = np.arange(rate // 2) / rate
    return {
        f"{name}/{index}.wav": wav_bytes(0.5 * np.sin(2 * np.pi * (base + 7 * index) * time), rate)
        for name, base in (("low", 300.0), ("high", 2000.0))
        for index in range(per_class)
    }
