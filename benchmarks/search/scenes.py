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
_RESNET, _DRAWN, _DSCNN = "ResNet-8", "hand-drawn", "DS-CNN"
_INSTRUCTIONS = Resource.INSTRUCTIONS


@dataclass(frozen=True, eq=False)
class Scene:
    """One comparison: all networks get `budget` and every seed, teachers once their own.

    A space of candidates lies around each of `teachers`. `tutor` teaches in the final training, and
    the teachers that are other networks. `rivals` are the networks that the searched ones are held
    against, by the names that goals use.
    """

    name: str
    dataset: Dataset
    budget: Budget
    teacher_budget: Budget
    teachers: tuple[NetworkSpec, ...]
    tutor: NetworkSpec
    rivals: dict[str, NetworkSpec]
    pool: PoolOptions
    goals: tuple[Goal, ...]


def cifar10(shared: Path) -> Scene:
    """CIFAR-10 against ResNet-8 and a network drawn by hand."""
    augmentation = (Augmentation.FLIP_CROP,)
    return Scene(
        name="cifar10",
        dataset=load(DataOptions(source=str(shared / "data" / "cifar10"))),
        budget=Budget(epochs=8, quantized_epochs=1, augmentation=augmentation),
        teacher_budget=Budget(epochs=14, quantized_epochs=1, augmentation=augmentation),
        teachers=(networks.small_teacher(),),
        tutor=networks.teacher(),
        rivals={_RESNET: networks.reference(), _DRAWN: networks.hand_drawn()},
        pool=PoolOptions(),
        goals=(
            Goal("1/3 of ResNet-8's instructions", _INSTRUCTIONS, _RESNET, 1 / 3, _DRAWN, 0.0),
            Goal("1/5 of ResNet-8's instructions", _INSTRUCTIONS, _RESNET, 1 / 5, _RESNET, -0.5),
            Goal("the hand-drawn network's instructions", _INSTRUCTIONS, _DRAWN, 1.0, _DRAWN, 1.0),
            Goal("ResNet-8's instructions", _INSTRUCTIONS, _RESNET, 1.0, _RESNET, 4.0),
        ),
    )


def spoken_digits(shared: Path) -> Scene:
    """Spoken digits against DS-CNN; one goal is bound by RAM and one by flash."""
    dataset = load(DataOptions(source=str(shared / "data" / "spoken_digits")))
    augmentation = (Augmentation.TIME_SHIFT,)
    budget = Budget(epochs=30, quantized_epochs=3, augmentation=augmentation)
    shape = dataset.input_shape_hwc
    return Scene(
        name="spoken digits",
        dataset=dataset,
        budget=budget,
        teacher_budget=budget,
        teachers=(
            networks.spoken_teacher(shape),
            networks.small_spoken_teacher(shape),
            networks.tiny_spoken_teacher(shape),
        ),
        tutor=networks.spoken_teacher(shape),
        rivals={_DSCNN: networks.spoken_reference(shape)},
        pool=PoolOptions(),
        goals=(
            Goal("1/3 of DS-CNN's instructions", _INSTRUCTIONS, _DSCNN, 1 / 3, _DSCNN, 0.0),
            Goal("1/5 of DS-CNN's instructions", _INSTRUCTIONS, _DSCNN, 1 / 5, _DSCNN, -0.5),
            Goal("DS-CNN's instructions", _INSTRUCTIONS, _DSCNN, 1.0, _DSCNN, 0.0),
            Goal("1/2 of DS-CNN's RAM", Resource.RAM_BYTES, _DSCNN, 1 / 2, _DSCNN, -0.5),
            Goal("1/2 of DS-CNN's flash", Resource.FLASH_BYTES, _DSCNN, 1 / 2, _DSCNN, -0.5),
        ),
    )


SCENES = {"cifar10": cifar10, "spoken-digits": spoken_digits}
