from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgeflow.data.dataset import prepare
from edgeflow.train import average
from edgeflow.train.evaluate import accuracy
from edgeflow.train.fit import fit
from edgeflow.train.options import TrainOptions
from tests.train.test_fit import few, network, same


def test_the_average_follows_the_recursion_with_a_quick_start() -> None:
    mean, moving = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    values = torch.randn(50, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mean.weight.fill_(100.0)
    expected = 100.0
    for step, value in enumerate(values.tolist()):
        with torch.no_grad():
            moving.weight.fill_(value)
        average.update(mean, moving, 0.8, step)
        decay = min(0.8, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert mean.weight.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert abs(expected) < 3


def test_statistics_are_those_of_the_batches_and_the_mode_stays() -> None:
    norm, other = nn.BatchNorm1d(3, momentum=0.1), nn.Dropout(0.9)
    layers = nn.Sequential(norm, other).train()
    x = torch.randn(4, 100, 3, generator=torch.Generator().manual_seed(0)) * 3 + 5
    average.measure_statistics(layers, list(x))
    assert torch.allclose(norm.running_mean, x.mean(dim=(0, 1)), atol=1e-4)
    assert torch.allclose(norm.running_var, x.var(dim=1).mean(dim=0), rtol=1e-4)
    assert (norm.momentum, norm.training, other.training) == (0.1, True, True)


def test_kept_weights_are_averaged_and_fit_their_batch_norm() -> None:
    data = few(300)
    options = TrainOptions(epochs=6, ema=0.95)
    result = fit(network(), data, options)
    assert not same(result, fit(network(), data, options.model_copy(update={"ema": 0.0})))
    x = prepare(data.preprocessing, data.validation.x)
    assert accuracy(result.network, x, data.validation.labels) == result.validation_score
    measured = copy.deepcopy(result.network)
    prepared = torch.from_numpy(prepare(data.preprocessing, data.train.x)).permute(0, 3, 1, 2)
    average.measure_statistics(measured, prepared.split(256))
    for name, value in result.network.state_dict().items():
        assert torch.allclose(value, measured.state_dict()[name], rtol=1e-3, atol=1e-4), name
