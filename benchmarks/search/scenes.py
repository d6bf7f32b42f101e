"""The data, networks, budgets and goals of the comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.search import networks
from benchmarks.search.goals import Goal, Resource
from benchmarks.search.training import Budget
from edgeflow.data.dataset import Dataset
from edgeflow.data.options import DataOptions
from edgeflow.data.sources import load
from edgeflow.nets.network import NetworkSpec
from edgeflow.search.options import PoolOptions
from edgeflow.train.options import Augmentation

TARGET = "cortex-m4"
SEEDS = (0, 1, 2)


@dataclass(frozen=True, eq=False)
class Scene:
    """One comparison: all networks get `budget` and every seed, the teacher once its own.

    `rivals` are the networks that the searched ones are held against, by the names goals use.
    """

    name: str
    dataset: Dataset
    budget: Budget
    teacher_budget: Budget
    teacher: NetworkSpec
    rivals: dict[str, NetworkSpec]
    pool: PoolOptions
    goals: tuple[Goal, ...]


def cifar10(shared: Path) -> Scene:
    """CIFAR-10 against ResNet-8 and a network drawn by hand."""
    augmentation = (Augmentation.FLIP_CROP,)
    reference, drawn = "ResNet-8", "hand-drawn"
    instructions = Resource.INSTRUCTIONS
    return Scene(
        name="cifar10",
        dataset=load(DataOptions(source=str(shared / "data" / "cifar10"))),
        budget=Budget(epochs=8, quantized_epochs=1, augmentation=augmentation),
        teacher_budget=Budget(epochs=14, quantized_epochs=1, augmentation=augmentation),
        teacher=networks.teacher(),
        rivals={reference: networks.reference(), drawn: networks.hand_drawn()},
        pool=PoolOptions(),
        goals=(
            Goal("1/3 of ResNet-8's instructions", instructions, reference, 1 / 3, drawn, 0.0),
            Goal("1/5 of ResNet-8's instructions", instructions, reference, 1 / 5, reference, -0.5),
            Goal("the hand-drawn network's instructions", instructions, drawn, 1.0, drawn, 1.0),
            Goal("ResNet-8's instructions", instructions, reference, 1.0, reference, 4.0),
        ),
    )


def spoken_digits(shared: Path) -> Scene:
    """Spoken digits against DS-CNN; one goal is bound by RAM and one by flash."""
    dataset = load(DataOptions(source=str(shared / "data" / "spoken_digits")))
    augmentation = (Augmentation.TIME_SHIFT,)
    budget = Budget(epochs=30, quantized_epochs=3, augmentation=augmentation)
    shape, rival = dataset.input_shape_hwc, "DS-CNN"
    instructions = Resource.INSTRUCTIONS
    return Scene(
        name="spoken digits",
        dataset=dataset,
        budget=budget,
        teacher_budget=budget,
        teacher=networks.spoken_teacher(shape),
        rivals={rival: networks.spoken_reference(shape)},
        pool=PoolOptions(),
        goals=(
            Goal("1/3 of DS-CNN's instructions", instructions, rival, 1 / 3, rival, 0.0),
            Goal("1/5 of DS-CNN's instructions", instructions, rival, 1 / 5, rival, -0.5),
            Goal("DS-CNN's instructions", instructions, rival, 1.0, rival, 0.0),
            Goal("1/2 of DS-CNN's RAM", Resource.RAM_BYTES, rival, 1 / 2, rival, -0.5),
            Goal("1/2 of DS-CNN's flash", Resource.FLASH_BYTES, rival, 1 / 2, rival, -0.5),
        ),
    )


SCENES = {"cifar10": cifar10, "spoken-digits": spoken_digits}
