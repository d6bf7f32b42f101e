"""What a plan refuses before anything runs."""

from __future__ import annotations

import pytest

from edgeflow.errors import ConfigError
from edgeflow.pipeline.config import from_values
from edgeflow.pipeline.plan import make_plan


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"weight_bits": 3}, "weight_bits = 3"),
        ({"first_and_last_weight_bits": 6}, "first_and_last_weight_bits = 6"),
        ({"layer_weight_bits": {"conv": 5}}, "layer_weight_bits.conv = 5"),
    ],
)
def test_weights_of_a_width_that_the_target_does_not_run_are_refused_before_training(
    options: dict[str, object], named: str
) -> None:
    config = from_values({"build": {"target": "cortex-m4"}, "quantize": options}, "the options")
    with pytest.raises(ConfigError) as caught:
        make_plan(config)
    assert named in caught.value.message
    assert caught.value.hint == "weight bits there: 2, 4, 8"
