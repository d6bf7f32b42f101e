from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from benchmarks.train import plain_loop, throughput
from benchmarks.train.throughput import DATA, OURS, PLAIN, Row, dataset
from edgeflow.data.dataset import prepare
from edgeflow.nets.network import build


def test_the_plain_loop_and_ours_train_on_the_same_numbers() -> None:
    x = dataset(4).train.x
    theirs = plain_loop.normalize(plain_loop.to_tensor(Image.fromarray(x[0])))
    scale = tuple(1 / 255 / deviation for deviation in plain_loop.DEVIATION)
    offset = tuple(
        -mean / deviation
        for mean, deviation in zip(plain_loop.MEAN, plain_loop.DEVIATION, strict=True)
    )
    preprocessing = dataset(4).preprocessing
    affine = preprocessing.affine.model_copy(update={"scale": scale, "offset": offset})
    ours = prepare(preprocessing.model_copy(update={"affine": affine}), x[:1])
    assert np.allclose(theirs.permute(1, 2, 0), ours[0], atol=1e-5)


def test_the_plain_loop_crops_and_flips_as_the_images_allow() -> None:
    image = Image.fromarray(dataset(1).train.x[0])
    pixels = np.asarray(ImageOps.expand(image, border=4, fill=0))
    windows = {
        pixels[top : top + 32, left : left + 32].tobytes() for top in range(9) for left in range(9)
    }
    torch.manual_seed(0)
    cropped = {plain_loop.random_crop(image).tobytes() for _ in range(200)}
    assert cropped <= windows
    assert len(cropped) > 50
    flipped = {plain_loop.random_flip(image).tobytes() for _ in range(20)}
    assert flipped == {image.tobytes(), ImageOps.mirror(image).tobytes()}


def test_both_loops_learn_labels_by_heart() -> None:
    data = dataset(32)
    network = build(throughput.TINY, 0)
    batches = plain_loop.loader(data.train.x, data.train.labels, 32, 0)
    train = plain_loop.epoch(network, batches)
    losses = [train() for _ in range(60)]
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize(("ratio", "passed"), [(1.4, False), (1.6, True)])
def test_the_bar_holds_where_the_plain_loop_is_bound_by_its_data(
    ratio: float, passed: bool
) -> None:
    rows = [Row("n", OURS, 1.0, 1.0, 1.0, 1.0), Row("n", PLAIN, 900.0, 1.0, 1.0, ratio)]
    data = Row("n", DATA, 1000.0, 1.0, 1.0, 0.0)
    assert throughput._is_fast_enough([*rows, data], "n") is passed
    bound_by_compute = Row("n", DATA, 9000.0, 1.0, 1.0, 0.0)
    assert throughput._is_fast_enough([*rows, bound_by_compute], "n")
