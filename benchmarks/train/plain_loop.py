"""The training loop as most people write it: per-image transforms in Python behind a DataLoader.

torchvision is not needed: each transform does what torchvision's does inside for PIL images
(RandomCrop with padding, RandomHorizontalFlip, ToTensor, Normalize).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

PADDING = 4
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)

Loader = DataLoader[tuple[Tensor, Tensor]]


def random_crop(image: Image.Image) -> Image.Image:
    width, height = image.size
    padded = ImageOps.expand(image, border=PADDING, fill=0)
    top = int(torch.randint(0, 2 * PADDING + 1, size=(1,)).item())
    left = int(torch.randint(0, 2 * PADDING + 1, size=(1,)).item())
    return padded.crop((left, top, left + width, top + height))


def random_flip(image: Image.Image) -> Image.Image:
    if torch.rand(1) < 0.5:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image


def to_tensor(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
    return pixels.permute((2, 0, 1)).contiguous().to(dtype=torch.float32).div(255)


def normalize(tensor: Tensor) -> Tensor:
    mean = torch.as_tensor(MEAN, dtype=tensor.dtype).view(-1, 1, 1)
    deviation = torch.as_tensor(DEVIATION, dtype=tensor.dtype).view(-1, 1, 1)
    return tensor.clone().sub_(mean).div_(deviation)


class Images(Dataset[tuple[Tensor, int]]):
    """Images [N, height, width, 3] uint8, transformed one by one."""

    def __init__(self, x: NDArray[np.uint8], y: NDArray[np.int64]) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.x[index])
        return normalize(to_tensor(random_flip(random_crop(image)))), int(self.y[index])


def loader(x: NDArray[np.uint8], y: NDArray[np.int64], batch_size: int, workers: int) -> Loader:
    """Batches in a new order each epoch; workers stay alive between epochs."""
    return DataLoader(
        Images(x, y),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def epoch(network: nn.Module, batches: Loader) -> Callable[[], float]:
    """A function that trains for one epoch and gives its mean loss."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)

    def train() -> float:
        network.train()
        total = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(x), y, label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / len(batches)

    return train
