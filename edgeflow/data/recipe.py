"""Preprocessing and postprocessing in words, for who writes it on the device."""

from __future__ import annotations

from edgeflow.data.postprocessing import NormalScores, Postprocessing
from edgeflow.data.preprocessing import (
    Affine,
    Fit,
    ImageFrontEnd,
    MfccFrontEnd,
    Preprocessing,
)
from edgeflow.data.task import Task

_FITS = {
    Fit.NONE: "the image has this size already",
    Fit.CROP: "cut out the centre of the same aspect ratio, as large as fits, then scale "
    "(bilinear, with antialiasing where it shrinks)",
    Fit.STRETCH: "scale each side by itself (bilinear, with antialiasing where it shrinks)",
}


def steps(preprocessing: Preprocessing) -> tuple[str, ...]:
    """What to do one after another, from raw data to the real values that are then quantized."""
    front_end = preprocessing.front_end
    first: tuple[str, ...] = ()
    if isinstance(front_end, ImageFrontEnd):
        first = _image(front_end)
    elif isinstance(front_end, MfccFrontEnd):
        first = _mfcc(front_end)
    return (*first, _affine(preprocessing.affine))


def answer(postprocessing: Postprocessing) -> str:
    """What to do with int8 answers `q`, as `postprocessing.json` says it for programs."""
    grid = postprocessing.output
    value = "(q - zero_point) * scale"
    if grid is not None:
        sign = "-" if grid.zero_point > 0 else "+"
        value = f"(q {sign} {abs(grid.zero_point)}) * {grid.scale!r}"
    if postprocessing.task is Task.CLASSIFICATION:
        return "The largest output is at the index of the class."
    if postprocessing.task is Task.ANOMALY:
        return (
            f"y = {value} is the input x again, element by element. The mean of (y - x)^2 over all "
            "elements (x as it went in, dequantized) is the larger the less the sample is like the "
            "normal ones of the training data: compare it with a threshold of your own."
            + _normal(postprocessing.normal)
        )
    target = postprocessing.target
    assert target is not None
    if len(target.scale) > 1:
        return (
            f"Output k is {value} * scale[k] + offset[k] in the unit of the k-th target value; "
            "`target` in `postprocessing.json` has scale and offset."
        )
    return f"{value} * {target.scale[0]!r} + {target.offset[0]!r} is in the target's unit."


def _normal(normal: NormalScores | None) -> str:
    """How large anomaly scores of normal samples are."""
    if normal is None:
        return ""
    return (
        f" For {normal.samples} normal samples that the network was not trained on it is "
        f"{normal.mean:.4g} on average, at most {normal.largest:.4g}, and below "
        f"{normal.percentile_95:.4g} for 95 % of them."
    )


def _image(front_end: ImageFrontEnd) -> tuple[str, ...]:
    color = "RGB" if front_end.channels == 3 else "gray (0.299 R + 0.587 G + 0.114 B)"
    size = f"{front_end.height} x {front_end.width} (height x width)"
    return (f"Take an 8-bit image, {color}.", f"Bring it to {size}: {_FITS[front_end.fit]}.")


def _mfcc(front_end: MfccFrontEnd) -> tuple[str, ...]:
    length, fft = front_end.frame_length_samples, front_end.fft_length
    edges = f"{front_end.lower_edge_hz:g} to {front_end.upper_edge_hz:g} Hz"
    return (
        f"Take {front_end.clip_samples} samples of 16-bit PCM at {front_end.sample_rate_hz} Hz "
        "(cut or filled with zeros at the end) and divide by 32768.",
        f"Cut {front_end.frames} frames of {length} samples, one every "
        f"{front_end.frame_step_samples}; multiply by a periodic Hann window.",
        f"Fill each with zeros to {fft}, Fourier-transform, take magnitudes of bins 0 to "
        f"{fft // 2}.",
        f"Sum under {front_end.mel_bins} triangles of height 1, equally wide in mel "
        f"(1127 ln(1 + f / 700)) over {edges}; bin 0 counts nowhere.",
        f"Take ln(sum + {front_end.log_offset:g}), then an orthonormal DCT-II, and keep the first "
        f"{front_end.coefficients} coefficients: frames x coefficients.",
    )


def _affine(affine: Affine) -> str:
    if len(affine.scale) == 1 and len(affine.offset) == 1:
        return f"x = raw * {affine.scale[0]!r} + {affine.offset[0]!r}, in float32."
    return (
        "x = raw * scale + offset, in float32; `affine` in `preprocessing.json` has a pair of "
        f"them for each index along {affine.axis} (of height x width x channels)."
    )
