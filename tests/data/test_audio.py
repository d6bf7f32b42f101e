from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np
import pytest

from edgeflow.data.mfcc import hz_to_mel, mel_filters, mfcc, mfcc_front_end
from edgeflow.data.options import DataOptions, MfccOptions
from edgeflow.data.preprocessing import MfccFrontEnd
from edgeflow.data.sources import load
from edgeflow.data.wav import Clip, decode_wav, resample
from edgeflow.errors import ConfigError, DataError
from tests.data.files import tone_files, wav_bytes, write
from tests.shared_data import shared_folder


def by_hand(clip: np.ndarray, front_end: MfccFrontEnd) -> np.ndarray:
    """The definition of `MfccFrontEnd`, one sum at a time."""
    length, bins = front_end.frame_length_samples, front_end.mel_bins
    mel = [
        1127.0 * math.log(1.0 + f / 700.0)
        for f in (front_end.lower_edge_hz, front_end.upper_edge_hz)
    ]
    edges = [mel[0] + (mel[1] - mel[0]) * i / (bins + 1) for i in range(bins + 2)]
    result = np.zeros((front_end.frames, front_end.coefficients))
    for t in range(front_end.frames):
        frame = clip[t * front_end.frame_step_samples :][:length]
        window = [0.5 - 0.5 * math.cos(2 * math.pi * n / length) for n in range(length)]
        logs = np.zeros(bins)
        energies = np.zeros(bins)
        for k in range(1, front_end.fft_length // 2 + 1):
            turn = np.exp(-2j * math.pi * k * np.arange(length) / front_end.fft_length)
            size = abs(np.sum(frame * window * turn))
            m = 1127.0 * math.log(1.0 + k * front_end.sample_rate_hz / front_end.fft_length / 700.0)
            for b in range(bins):
                low, middle, high = edges[b : b + 3]
                energies[b] += size * max(
                    0.0, min((m - low) / (middle - low), (high - m) / (high - middle))
                )
        logs = np.log(energies + front_end.log_offset)
        for c in range(front_end.coefficients):
            factor = math.sqrt((1.0 if c == 0 else 2.0) / bins)
            result[t, c] = factor * sum(
                logs[b] * math.cos(math.pi * c * (b + 0.5) / bins) for b in range(bins)
            )
    return result


def test_mfcc_follows_its_definition() -> None:
    options = MfccOptions(
        clip_ms=100,
        frame_length_ms=25,
        frame_step_ms=15,
        mel_bins=12,
        coefficients=8,
        upper_edge_hz=3800,
    )
    front_end = mfcc_front_end(options, 8000)
    clip = np.random.default_rng(0).uniform(-1, 1, front_end.clip_samples)
    features = mfcc(clip[np.newaxis], front_end)
    assert features.shape == (1, front_end.frames, 8, 1)
    np.testing.assert_allclose(features[0, :, :, 0], by_hand(clip, front_end), atol=1e-4)


def test_default_front_end_gives_the_shape_of_mlperf_tiny() -> None:
    front_end = mfcc_front_end(MfccOptions(), 16000)
    assert (front_end.frames, front_end.coefficients, front_end.fft_length) == (49, 10, 512)


def test_mel_filters_are_triangles_that_sum_to_one_between_the_outer_peaks() -> None:
    front_end = mfcc_front_end(MfccOptions(mel_bins=20), 16000)
    filters = mel_filters(front_end)
    edges = np.linspace(*hz_to_mel(np.array([20.0, 4000.0])), 22)
    mel = hz_to_mel(np.linspace(0, 8000, 257))
    inside = (mel >= edges[1]) & (mel <= edges[-2])
    np.testing.assert_allclose(filters[inside].sum(axis=1), 1.0)
    assert not filters[mel > edges[-1]].any()
    assert hz_to_mel(np.array([1000.0]))[0] == pytest.approx(999.99, abs=0.1)


def test_silence_gives_the_log_offset_in_coefficient_0_only() -> None:
    front_end = mfcc_front_end(MfccOptions(), 16000)
    features = mfcc(np.zeros((1, front_end.clip_samples)), front_end)[0, :, :, 0]
    np.testing.assert_allclose(features[:, 0], math.sqrt(40) * math.log(1e-6), rtol=1e-6)
    np.testing.assert_allclose(features[:, 1:], 0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({"upper_edge_hz": 4001.0}, 8000),
        ({"lower_edge_hz": 4000.0}, 16000),
        ({"clip_ms": 20.0}, 16000),
        ({"coefficients": 41}, 16000),
    ],
)
def test_contradicting_mfcc_options_are_refused(options: dict[str, float], rate: int) -> None:
    with pytest.raises(ConfigError):
        mfcc_front_end(MfccOptions.model_validate(options), rate)


def test_wav_folders_become_features(tmp_path: Path) -> None:
    dataset = load(DataOptions(source=str(write(tmp_path, tone_files(20)))))
    assert dataset.classes == ("high", "low")
    assert dataset.input_shape_hwc == (49, 10, 1)
    front_end = dataset.preprocessing.front_end
    assert isinstance(front_end, MfccFrontEnd)
    assert front_end.sample_rate_hz == 8000
    assert len(dataset.preprocessing.affine.scale) == 10


def test_mixed_rates_need_a_rate_and_are_then_resampled(tmp_path: Path) -> None:
    other = {name.replace("/", "/r"): c for name, c in tone_files(5, rate=11025).items()}
    source = str(write(tmp_path, tone_files(20) | other))
    with pytest.raises(DataError, match="11025 Hz, and files before it 8000 Hz"):
        load(DataOptions(source=source))
    assert load(DataOptions(source=source, sample_rate_hz=8000)).input_shape_hwc == (49, 10, 1)


def test_resampling_keeps_a_tone() -> None:
    time_in, time_out = np.arange(11025) / 11025, np.arange(8000) / 8000
    result = resample(Clip(np.sin(2 * np.pi * 440 * time_in), 11025), 8000)
    assert len(result) == 8000
    wanted = np.sin(2 * np.pi * 440 * time_out)
    np.testing.assert_allclose(result[200:-200], wanted[200:-200], atol=5e-3)


def test_stereo_becomes_the_mean_of_its_channels() -> None:
    left = np.linspace(-0.5, 0.5, 100)
    clip = decode_wav(wav_bytes(np.stack([left, -left], axis=1), channels=2), "a.wav")
    np.testing.assert_allclose(clip.samples, 0.0, atol=1e-4)


def test_other_sample_widths_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes(100))
    with pytest.raises(DataError, match="8 bits a sample"):
        decode_wav(path.read_bytes(), "a.wav")


GOOD = wav_bytes(np.linspace(-1, 1, 4000))


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", GOOD[:30], GOOD[:-1], GOOD[:44], b"ID3" + GOOD, wav_bytes(np.zeros(0))],
    ids=["empty", "riff", "in-header", "one-byte-short", "no-samples", "mp3-like", "zero-frames"],
)
def test_damaged_wav_is_named(tmp_path: Path, content: bytes) -> None:
    files = tone_files(10) | {"low/broken.wav": content}
    with pytest.raises(DataError, match=r"low/broken\.wav"):
        load(DataOptions(source=str(write(tmp_path, files))))


def test_cut_clips_are_reported(tmp_path: Path) -> None:
    messages = []
    options = DataOptions(
        source=str(write(tmp_path, tone_files(10))), mfcc=MfccOptions(clip_ms=300)
    )
    load(options, lambda event: messages.append(event.message))
    assert "20 of 20 clips are longer than 300 ms and were cut" in messages


def test_spoken_digits_are_read_whole() -> None:
    folder = shared_folder("spoken_digits")
    if not sorted(folder.glob("0/*.wav")):
        pytest.skip(f"{folder} holds no class folders of WAV files named 0 to 9")
    dataset = load(DataOptions(source=str(folder)))
    total = len(dataset.train) + len(dataset.validation) + len(dataset.test)
    assert total + dataset.duplicates_dropped >= 1000
    assert dataset.classes == tuple("0123456789")
    assert dataset.train.x.dtype == np.float32
