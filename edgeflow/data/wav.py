"""WAV files of class folders, through the MFCC front-end."""

from __future__ import annotations

import io
import math
import struct
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.class_folders import WAV_SUFFIXES, class_folders
from edgeflow.data.dataset import Split
from edgeflow.data.mfcc import mfcc, mfcc_front_end
from edgeflow.data.options import DataOptions
from edgeflow.data.preprocessing import MfccFrontEnd
from edgeflow.data.raw import RawData
from edgeflow.data.tree import FileTree
from edgeflow.errors import DataError
from edgeflow.progress import Progress, ProgressEvent

_CLIPS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Clip:
    """One channel of PCM in -1 to 1."""

    samples: NDArray[np.float64]
    sample_rate_hz: int


def read_wav_folders(tree: FileTree, options: DataOptions, progress: Progress) -> RawData:
    """MFCC features of every file; clips are padded with zeros or cut at their end."""
    folders = class_folders(tree, WAV_SUFFIXES)
    first = folders.parts["train"][0][0]
    rate = options.sample_rate_hz or decode_wav(tree.read(first), tree.where(first)).sample_rate_hz
    front_end = mfcc_front_end(options.mfcc, rate)
    total = sum(len(entries) for entries in folders.parts.values())
    parts = {}
    cut = done = 0
    for part, entries in folders.parts.items():
        features = []
        for start in range(0, len(entries), _CLIPS_AT_ONCE):
            batch = entries[start : start + _CLIPS_AT_ONCE]
            clips = np.zeros((len(batch), front_end.clip_samples))
            for row, (name, _) in zip(clips, batch, strict=True):
                samples = _at_rate(tree, name, options.sample_rate_hz, front_end)
                cut += len(samples) > len(row)
                row[: len(samples)] = samples[: len(row)]
            features.append(mfcc(clips, front_end))
            done += len(batch)
            progress(ProgressEvent("data", "reading audio", done, total))
        labels = np.array([label for _, label in entries], dtype=np.int64)
        parts[part] = Split(np.concatenate(features), labels)
    if cut:
        message = f"{cut} of {total} clips are longer than {options.mfcc.clip_ms:g} ms and were cut"
        progress(ProgressEvent("data", message, values={"clips_cut": float(cut)}))
    return RawData(tree.name, parts, folders.classes, front_end)


def _at_rate(
    tree: FileTree, name: str, requested_hz: int | None, front_end: MfccFrontEnd
) -> NDArray[np.float64]:
    clip = decode_wav(tree.read(name), tree.where(name))
    wanted = front_end.sample_rate_hz
    if clip.sample_rate_hz == wanted:
        return clip.samples
    if requested_hz is None:
        raise DataError(
            f"{tree.where(name)}: {clip.sample_rate_hz} Hz, and files before it {wanted} Hz",
            hint="set sample_rate_hz, and every file is resampled to it",
        )
    return resample(clip, wanted)


def resample(clip: Clip, sample_rate_hz: int) -> NDArray[np.float64]:
    """Polyphase resampling (scipy's default Kaiser window) by the exact ratio of the rates."""
    from scipy.signal import resample_poly

    divisor = math.gcd(clip.sample_rate_hz, sample_rate_hz)
    result: NDArray[np.float64] = resample_poly(
        clip.samples, sample_rate_hz // divisor, clip.sample_rate_hz // divisor
    )
    return result


def decode_wav(data: bytes, where: str) -> Clip:
    """16-bit PCM; several channels become their mean. DataError for anything else."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            width, channels = file.getsampwidth(), file.getnchannels()
            rate, frames = file.getframerate(), file.getnframes()
            pcm = file.readframes(min(frames, len(data)))
    except (wave.Error, EOFError, struct.error, RuntimeError) as error:
        raise DataError(
            f"{where}: damaged, or not a PCM WAV file ({error})",
            hint="convert it to 16-bit PCM WAV, or remove it",
        ) from error
    if width != 2:
        raise DataError(
            f"{where}: {8 * width} bits a sample; 16-bit PCM is read",
            hint="convert the files to 16-bit PCM",
        )
    if not 1000 <= rate <= 384_000:
        raise DataError(f"{where}: a sample rate of {rate} Hz", hint="the header is damaged")
    if not frames or len(pcm) != frames * width * channels:
        raise DataError(
            f"{where}: the header promises {frames} frames, {len(pcm)} bytes follow",
            hint="the file is empty or truncated; remove it",
        )
    values = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels).astype(np.float64)
    return Clip(values.mean(axis=1) / 32768.0, rate)
