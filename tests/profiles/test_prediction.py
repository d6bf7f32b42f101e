"""Costs of layers that a profile has no row for are predicted from the rows of their kind."""

from __future__ import annotations

import pytest

from edgeflow.errors import ProfileFileError
from edgeflow.figures import FigureKind
from edgeflow.profiles.features import features
from edgeflow.profiles.prediction import fit_cost_model, predict
from edgeflow.profiles.registry import load
from edgeflow.profiles.schema import Profile, Row

SEEN = "CONV_2D in=1x8x8x64 out=1x8x8x64 kernel=3x3 stride=1x1 pad=1,1,1,1"
UNSEEN = "CONV_2D in=1x16x16x24 out=1x16x16x40 kernel=3x3 stride=1x1 pad=1,1,1,1 act=relu"


def profile() -> Profile:
    return load("cortex-m4/reference-networks")


def without(signature: str) -> Profile:
    whole = profile()
    rows = tuple(row for row in whole.rows if row.signature != signature)
    return whole.model_copy(update={"rows": rows})


def test_features_count_products_and_elements() -> None:
    read = features(UNSEEN)
    assert (read.kind, read.output_positions, read.output_elements) == ("CONV_2D", 256, 10_240)
    assert read.gathered == 256 * 9 * 24
    assert read.products == 256 * 9 * 24 * 40
    depthwise = features("DEPTHWISE_CONV_2D in=1x8x8x16 out=1x4x4x16 kernel=3x3 stride=2x2")
    assert depthwise.products == 16 * 9 * 16
    addition = features("ADD in=1x4x4x8+const:1x1x1x8 out=1x4x4x8")
    assert (addition.products, addition.input_elements) == (0, 128 + 8)


@pytest.mark.parametrize(
    "text",
    [
        "CONV_2D",
        "CONV_2D in=1xa out=1x2",
        "CONV_2D in=1x2",
        "CONV_2D in=1x8x8x4 out=1x8x8x4 groups=0",
    ],
)
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(ProfileFileError, match="no signature"):
        features(text)


def test_a_row_is_given_as_it_is() -> None:
    found = predict(fit_cost_model(profile()), SEEN, "w8a8")
    row = next(r for r in profile().rows if r.key == (SEEN, "w8a8"))
    assert found is not None
    assert (found.value, found.kind, found.in_range) == (row.median, FigureKind.SIMULATED, True)


def test_a_layer_without_a_row_is_estimated_near_its_count() -> None:
    row = next(r for r in profile().rows if r.key == (SEEN, "w8a8"))
    found = predict(fit_cost_model(without(SEEN)), SEEN, "w8a8")
    assert found is not None
    assert found.kind is FigureKind.ESTIMATED
    assert found.value == pytest.approx(row.median, rel=0.1)


def test_an_estimate_beyond_all_rows_says_so() -> None:
    model = fit_cost_model(profile())
    inside = predict(model, UNSEEN, "w8a8")
    outside = predict(model, UNSEEN.replace("1x16x16x", "1x64x64x"), "w8a8")
    assert inside is not None
    assert outside is not None
    assert inside.in_range
    assert not outside.in_range


def test_a_kind_without_rows_has_no_estimate() -> None:
    assert predict(fit_cost_model(profile()), "SOFTMAX in=1x10 out=1x10", "w8a8") is None
    assert predict(fit_cost_model(profile()), UNSEEN, "w3a8") is None


def test_rows_counted_elsewhere_join_the_profile() -> None:
    row = Row(
        signature="SOFTMAX in=1x10 out=1x10",
        precision="w8a8",
        n=1,
        median=500.0,
        p95=500.0,
        dispersion=0.0,
        flash_bytes=1,
        ram_bytes=1,
    )
    found = predict(fit_cost_model(profile(), [row]), row.signature, row.precision)
    assert found is not None
    assert found.value == 500.0


def test_held_out_errors_of_the_shipped_profiles_are_small_where_there_are_rows() -> None:
    models = fit_cost_model(profile()).models
    convolution = models["CONV_2D", "w8a8"].held_out_error
    assert convolution is not None
    assert convolution < 0.03
    assert models["MAX_POOL_2D", "w8a8"].held_out_error is None


def test_rows_of_seconds_are_fitted_as_well_as_those_of_instructions() -> None:
    """Relative errors are those of the same rows in another unit."""
    whole = profile()
    scaled = tuple(
        row.model_copy(update={"median": row.median * 1e-9, "p95": row.p95 * 1e-9})
        for row in whole.rows
    )
    counted = predict(fit_cost_model(whole), UNSEEN, "w8a8")
    timed = predict(fit_cost_model(whole.model_copy(update={"rows": scaled})), UNSEEN, "w8a8")
    assert counted is not None
    assert timed is not None
    assert timed.value == pytest.approx(1e-9 * counted.value, rel=1e-6)
