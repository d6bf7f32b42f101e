from __future__ import annotations

import numpy as np
import pytest

from edgeflow.data.mfcc import mfcc_front_end
from edgeflow.data.options import MfccOptions
from edgeflow.data.preprocessing import (
    Affine,
    Axis,
    Fit,
    FrontEnd,
    ImageFrontEnd,
    Preprocessing,
    RawFeatures,
)
from edgeflow.data.recipe import steps

ONE = Affine(scale=(0.5,), offset=(-1.0,))
MFCC = mfcc_front_end(MfccOptions(), 16000)


@pytest.mark.parametrize(
    ("front_end", "said"),
    [
        (RawFeatures(), []),
        (ImageFrontEnd(height=8, width=9, channels=3), ["RGB", "8 x 9", "has this size"]),
        (ImageFrontEnd(height=8, width=9, channels=1, fit=Fit.CROP), ["0.587 G", "centre"]),
        (ImageFrontEnd(height=8, width=9, channels=1, fit=Fit.STRETCH), ["each side"]),
        (MFCC, ["16000 Hz", "49 frames of 480", "every 320", "512", "40 triangles", "first 10"]),
    ],
)
def test_every_figure_that_a_device_needs_is_said(front_end: FrontEnd, said: list[str]) -> None:
    found = steps(Preprocessing(front_end=front_end, affine=ONE))
    text = " ".join(found)
    assert all(part in text for part in said), text
    assert found[-1] == "x = raw * 0.5 + -1.0, in float32."


def test_many_constants_are_left_to_the_file() -> None:
    affine = Affine(scale=(1.0,) * 10, offset=(0.0,) * 10, axis=Axis.WIDTH)
    assert "along width" in steps(Preprocessing(front_end=MFCC, affine=affine))[-1]


def test_gray_is_what_the_words_say() -> None:
    from PIL import Image

    rgb = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    gray = np.asarray(Image.fromarray(rgb).convert("L"), dtype=np.float64)
    assert np.abs(gray - luma).max() <= 1
