"""Mel-frequency cepstral coefficients, defined by `MfccFrontEnd`.

The formulas are those of TensorFlow's signal library (stft, linear_to_mel_weight_matrix,
mfccs_from_log_mel_spectrograms), except that the DCT is orthonormal in its coefficient 0 too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.options import MfccOptions
from edgeflow.data.preprocessing import MfccFrontEnd
from edgeflow.errors import ConfigError


def mfcc_front_end(options: MfccOptions, sample_rate_hz: int) -> MfccFrontEnd:
    """Durations to samples; ConfigError where the options contradict each other or the rate."""

    def samples(milliseconds: float) -> int:
        return round(milliseconds * sample_rate_hz / 1000.0)

    frame = max(1, samples(options.frame_length_ms))
    front_end = MfccFrontEnd(
        sample_rate_hz=sample_rate_hz,
        clip_samples=max(1, samples(options.clip_ms)),
        frame_length_samples=frame,
        frame_step_samples=max(1, samples(options.frame_step_ms)),
        fft_length=1 << (frame - 1).bit_length(),
        mel_bins=options.mel_bins,
        lower_edge_hz=options.lower_edge_hz,
        upper_edge_hz=options.upper_edge_hz,
        log_offset=options.log_offset,
        coefficients=options.coefficients,
    )
    if not options.lower_edge_hz < options.upper_edge_hz <= sample_rate_hz / 2:
        raise ConfigError(
            f"mel filters from {options.lower_edge_hz:g} to {options.upper_edge_hz:g} Hz do not "
            f"lie below half the sample rate of {sample_rate_hz} Hz",
            hint="set mfcc.upper_edge_hz to at most half the sample rate",
        )
    if front_end.frame_length_samples > front_end.clip_samples:
        raise ConfigError("mfcc.frame_length_ms is longer than mfcc.clip_ms")
    if options.coefficients > options.mel_bins:
        raise ConfigError(
            f"{options.coefficients} coefficients from {options.mel_bins} mel bins",
            hint="set mfcc.coefficients to at most mfcc.mel_bins",
        )
    return front_end


def hz_to_mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """HTK's mel scale."""
    return 1127.0 * np.log1p(frequency_hz / 700.0)


def mel_filters(front_end: MfccFrontEnd) -> NDArray[np.float64]:
    """Triangles in mel over FFT bins: [fft_length / 2 + 1, mel_bins]; bin 0 counts nowhere."""
    bins = np.linspace(0.0, front_end.sample_rate_hz / 2.0, front_end.fft_length // 2 + 1)
    mel = hz_to_mel(bins)[:, np.newaxis]
    ends = hz_to_mel(np.array([front_end.lower_edge_hz, front_end.upper_edge_hz]))
    edges = np.linspace(ends[0], ends[1], front_end.mel_bins + 2)
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[0] = 0.0
    return filters


def mfcc(clips: NDArray[np.float64], front_end: MfccFrontEnd) -> NDArray[np.float32]:
    """Clips [N, clip_samples] in -1 to 1 to features [N, frames, coefficients, 1]."""
    from scipy.fft import dct

    length, step = front_end.frame_length_samples, front_end.frame_step_samples
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    frames = np.lib.stride_tricks.sliding_window_view(clips, length, axis=1)[:, ::step] * window
    magnitude = np.abs(np.fft.rfft(frames, n=front_end.fft_length, axis=2))
    log_mel = np.log(magnitude @ mel_filters(front_end) + front_end.log_offset)
    cepstrum = dct(log_mel, type=front_end.dct_type, norm=front_end.dct_normalization, axis=2)
    features: NDArray[np.float32] = cepstrum[:, :, : front_end.coefficients, np.newaxis].astype(
        np.float32
    )
    return features
