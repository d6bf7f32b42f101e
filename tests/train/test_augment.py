from __future__ import annotations

import pytest
import torch

from edgeflow.train.augment import AUGMENTATIONS, shift
from edgeflow.train.options import Augmentation


def test_shift_moves_each_sample_on_its_own_and_zeros_move_in() -> None:
    x = torch.arange(1.0, 33.0).reshape(2, 1, 4, 4)
    moved = shift(x, torch.tensor([1, 0]), torch.tensor([0, -2]))
    wanted = torch.zeros_like(x)
    wanted[0, :, 1:] = x[0, :, :-1]
    wanted[1, :, :, :2] = x[1, :, :, 2:]
    assert torch.equal(moved, wanted)


@pytest.mark.parametrize("augmentation", list(Augmentation))
def test_values_and_shape_stay_those_of_the_data(augmentation: Augmentation) -> None:
    x = torch.randn(64, 2, 16, 24, generator=torch.Generator().manual_seed(0))
    result = AUGMENTATIONS[augmentation](x, torch.Generator().manual_seed(0))
    assert result.shape == x.shape
    for before, after in zip(x, result, strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist()) | {0.0}


def test_time_shift_leaves_coefficients_in_their_column() -> None:
    x = torch.arange(10.0).expand(32, 1, 49, 10)
    result = AUGMENTATIONS[Augmentation.TIME_SHIFT](x, torch.Generator().manual_seed(0))
    assert torch.all((result == x) | (result == 0))
    assert not torch.equal(result, x)


def test_flip_crop_flips_about_half_of_the_samples() -> None:
    x = torch.zeros(400, 1, 8, 8)
    x[:, :, :, :3] = 1.0
    result = AUGMENTATIONS[Augmentation.FLIP_CROP](x, torch.Generator().manual_seed(0))
    flipped = (result[:, 0, 4, 5:].sum(dim=1) > result[:, 0, 4, :3].sum(dim=1)).sum()
    assert 150 < flipped < 250
