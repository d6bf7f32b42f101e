from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Generator, Tensor
from torch.nn import functional

from edgeflow.train.augment import CORRUPTIONS, MOVES, corrupt, mix, mixup, move, shift
from edgeflow.train.options import Augmentation, TrainOptions

CUT_AND_MOVE = sorted({*MOVES, *CORRUPTIONS} - {Augmentation.NOISE})


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def augmented(x: Tensor, *names: Augmentation, seed: int = 0, **options: float) -> Tensor:
    chosen = TrainOptions.model_validate({"augmentation": names, **options})
    generator = seeded(seed)
    return corrupt(move(x, generator, chosen), generator, chosen)


def test_shift_moves_each_sample_on_its_own_and_zeros_move_in() -> None:
    x = torch.arange(1.0, 33.0).reshape(2, 1, 4, 4)
    moved = shift(x, torch.tensor([1, 0]), torch.tensor([0, -2]))
    wanted = torch.zeros_like(x)
    wanted[0, :, 1:] = x[0, :, :-1]
    wanted[1, :, :, :2] = x[1, :, :, 2:]
    assert torch.equal(moved, wanted)


@pytest.mark.parametrize("augmentation", CUT_AND_MOVE)
def test_values_and_shape_stay_those_of_the_data(augmentation: Augmentation) -> None:
    x = torch.randn(64, 2, 16, 24, generator=seeded())
    result = augmented(x, augmentation)
    assert result.shape == x.shape
    assert not torch.equal(result, x)
    for before, after in zip(x, result, strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist()) | {0.0}


@pytest.mark.parametrize("augmentation", [*MOVES, *CORRUPTIONS])
def test_strides_of_the_batch_do_not_change_the_result(augmentation: Augmentation) -> None:
    x = torch.randn(16, 3, 16, 24, generator=seeded())
    strided = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(augmented(x, augmentation), augmented(strided, augmentation))


def test_time_shift_leaves_coefficients_in_their_column() -> None:
    x = torch.arange(10.0).expand(32, 1, 49, 10)
    result = augmented(x, Augmentation.TIME_SHIFT)
    assert torch.all((result == x) | (result == 0))
    assert not torch.equal(result, x)


@pytest.mark.parametrize("augmentation", [Augmentation.FLIP, Augmentation.FLIP_CROP])
def test_flips_concern_about_half_of_the_samples(augmentation: Augmentation) -> None:
    x = torch.zeros(400, 1, 8, 8)
    x[:, :, :, :3] = 1.0
    result = augmented(x, augmentation)
    flipped = (result[:, 0, 4, 5:].sum(dim=1) > result[:, 0, 4, :3].sum(dim=1)).sum()
    assert 150 < flipped < 250


def test_flip_crop_is_flip_then_shift() -> None:
    x = torch.randn(64, 3, 16, 16, generator=seeded())
    both = augmented(x, Augmentation.SHIFT, Augmentation.FLIP)
    assert torch.equal(augmented(x, Augmentation.FLIP_CROP), both)


def test_cutout_leaves_one_rectangle_of_zeros_that_may_hang_over_the_edge() -> None:
    result = augmented(torch.ones(500, 2, 16, 16), Augmentation.CUTOUT, cutout_size=0.5)
    areas = []
    for sample in result:
        assert torch.equal(sample[0], sample[1])
        rows, columns = (sample[0] == 0).any(1).sum(), (sample[0] == 0).any(0).sum()
        assert (sample[0] == 0).sum() == rows * columns
        areas.append(int(rows * columns))
    assert max(areas) == 8 * 8
    assert min(areas) < 8 * 8


def test_noise_has_at_most_the_deviation_of_the_options() -> None:
    difference = augmented(torch.zeros(200, 1, 49, 10), Augmentation.NOISE, noise_deviation=0.5)
    deviations = difference.flatten(1).std(dim=1)
    assert deviations.max() < 0.55
    assert deviations.min() < 0.05 < 0.4 < deviations.max()


def test_spec_augment_masks_whole_frames_and_whole_coefficients() -> None:
    result = augmented(torch.ones(300, 1, 48, 12), Augmentation.SPEC_AUGMENT)[:, 0]
    frames = (result == 0).all(2)
    coefficients = (result == 0).all(1)
    assert torch.equal(result == 0, frames.unsqueeze(2) | coefficients.unsqueeze(1))
    assert frames.sum(1).max() <= 2 * 6
    assert coefficients.sum(1).max() == 3
    assert coefficients[:, 0].any()
    assert coefficients[:, -1].any()


def test_mixup_mixes_samples_and_class_probabilities_alike() -> None:
    labels = torch.arange(64) % 10
    x = functional.one_hot(labels, 10).float().view(64, 10, 1, 1)
    mixed, targets = mixup(x, labels, 10, 1.0, seeded())
    assert torch.equal(mixed.view(64, 10), targets)
    assert torch.allclose(targets.sum(1), torch.ones(64))
    between = ((targets > 0.05) & (targets < 0.95)).any(1)
    assert 30 < between.sum() < 64


def test_mixup_mixes_numbers_as_they_are() -> None:
    numbers = torch.randn(32, 1, generator=seeded())
    mixed, targets = mixup(numbers.view(32, 1, 1, 1), numbers, 1, 0.5, seeded())
    assert torch.equal(mixed.view(32, 1), targets)
    assert not torch.equal(targets, numbers)


def test_without_mixup_targets_stay_labels() -> None:
    labels = torch.arange(4)
    _, targets = mix(torch.zeros(4, 1, 2, 2), labels, 4, seeded(), TrainOptions())
    assert targets is labels


@pytest.mark.parametrize(
    "augmentation", [["none", "flip"], ["flip", "flip"], "turn", ["flip", "turn"]]
)
def test_bad_lists_are_refused(augmentation: str | list[str]) -> None:
    with pytest.raises(ValidationError):
        TrainOptions.model_validate({"augmentation": augmentation})


def test_a_name_and_a_list_of_it_mean_the_same() -> None:
    for value in ("cutout", ["cutout"]):
        options = TrainOptions.model_validate({"augmentation": value})
        assert options.augmentations == {Augmentation.CUTOUT}
    for value in ("none", ["none"], []):
        assert not TrainOptions.model_validate({"augmentation": value}).augmentations
