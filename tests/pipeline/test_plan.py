"""What a plan refuses before anything runs."""

from __future__ import annotations

import pytest

from edgeflow.errors import ConfigError
from edgeflow.pipeline.config import from_values
from edgeflow.pipeline.plan import make_plan


def test_weights_of_a_width_that_the_target_does_not_run_are_refused_before_training() -> None:
    config = from_values(
        {"build": {"target": "cortex-m4"}, "quantize": {"weight_bits": 3}}, "the options"
    )
    with pytest.raises(ConfigError) as caught:
        make_plan(config)
    assert "weight_bits = 3" in caught.value.message
    assert "8" in caught.value.hint
