from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.data.mfcc import mfcc_front_end
from edgeflow.data.options import MfccOptions
from edgeflow.data.preprocessing import (
    Affine,
    Axis,
    ImageFrontEnd,
    Preprocessing,
    RawFeatures,
    prepare,
    range_affine,
    standard_affine,
)
from edgeflow.errors import DataError


def test_prepare_scales_along_the_named_axis() -> None:
    x = np.arange(2 * 3 * 4 * 2, dtype=np.uint8).reshape(2, 3, 4, 2)
    channel = Preprocessing(
        front_end=RawFeatures(), affine=Affine(scale=(0.5, 2.0), offset=(1.0, -1.0))
    )
    wanted = x * np.array([0.5, 2.0]) + np.array([1.0, -1.0])
    result = prepare(channel, x)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, wanted.astype(np.float32))
    width = Preprocessing(
        front_end=RawFeatures(),
        affine=Affine(scale=(1.0, 2.0, 3.0, 4.0), offset=(0.0,), axis=Axis.WIDTH),
    )
    np.testing.assert_array_equal(prepare(width, x)[:, :, 3], x[:, :, 3] * np.float32(4.0))


def test_prepare_refuses_data_of_another_shape() -> None:
    preprocessing = Preprocessing(
        front_end=RawFeatures(), affine=Affine(scale=(1.0, 1.0), offset=(0.0, 0.0))
    )
    with pytest.raises(DataError, match="2 scales"):
        prepare(preprocessing, np.zeros((1, 2, 2, 3), dtype=np.float32))


def test_standard_scaling_gives_mean_0_and_deviation_1_and_keeps_constants_finite() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(5.0, 3.0, size=(50, 4, 3, 2)).astype(np.float32)
    x[..., 1] = 7.0
    preprocessing = Preprocessing(front_end=RawFeatures(), affine=standard_affine(x, Axis.CHANNEL))
    result = prepare(preprocessing, x).astype(np.float64)
    assert abs(result[..., 0].mean()) < 1e-5
    assert abs(result[..., 0].std() - 1.0) < 1e-5
    np.testing.assert_allclose(result[..., 1], 0.0, atol=1e-5)


def test_range_scaling_maps_the_largest_value_to_1_and_refuses_all_zero() -> None:
    assert range_affine(np.array([[[[0], [16]]]], dtype=np.uint8)).scale == (1 / 16,)
    with pytest.raises(DataError, match="entirely zero"):
        range_affine(np.zeros((2, 2, 2, 1), dtype=np.uint8))


def test_json_round_trip_keeps_every_front_end() -> None:
    affine = Affine(scale=(1 / 3,), offset=(0.1,))
    for front_end in (
        RawFeatures(),
        ImageFrontEnd(height=8, width=9, channels=3),
        mfcc_front_end(MfccOptions(), 16000),
    ):
        value = Preprocessing(front_end=front_end, affine=affine)
        assert Preprocessing.model_validate_json(value.model_dump_json()) == value


def test_values_are_frozen_and_unknown_keys_refused() -> None:
    affine = Affine(scale=(1.0,), offset=(0.0,))
    with pytest.raises(ValidationError):
        affine.scale = (2.0,)  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Affine.model_validate({"scale": [1.0], "offset": [0.0], "shift": 1})
