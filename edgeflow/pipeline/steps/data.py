"""Stage data: the three splits and the preprocessing, once."""

from __future__ import annotations

from pathlib import Path

from edgeflow.data.dataset import Dataset, Split
from edgeflow.data.preprocessing import Preprocessing
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_arrays, read_document, write_arrays, write_document

ARRAYS = "dataset.npz"
DESCRIPTION = "dataset.json"
PREPROCESSING = "preprocessing.json"
SPLITS = ("train", "validation", "test")


def run(context: StageContext) -> None:
    """Load and split the data."""
    from edgeflow.data.sources import load

    write_dataset(load(context.plan.config.data, context.progress), context.output)


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """Write a data set into a folder; `read_dataset` gives an equal one."""
    splits = {name: getattr(dataset, name) for name in SPLITS}
    arrays = {f"{name}_{part}": getattr(s, part) for name, s in splits.items() for part in "xy"}
    write_arrays(folder / ARRAYS, {k: array for k, array in arrays.items() if array is not None})
    write_document(
        folder / DESCRIPTION,
        {
            "name": dataset.name,
            "classes": list(dataset.classes),
            "content_hash": dataset.content_hash,
            "duplicates_dropped": dataset.duplicates_dropped,
        },
    )
    write_document(folder / PREPROCESSING, dataset.preprocessing.model_dump(mode="json"))


def read_dataset(folder: Path) -> Dataset:
    """The data set that `write_dataset` wrote."""
    arrays = read_arrays(folder / ARRAYS)
    description = read_document(folder / DESCRIPTION)
    splits = {name: Split(arrays[f"{name}_x"], arrays.get(f"{name}_y")) for name in SPLITS}
    return Dataset(
        name=description["name"],
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        classes=tuple(description["classes"]),
        preprocessing=Preprocessing.model_validate_json((folder / PREPROCESSING).read_bytes()),
        content_hash=description["content_hash"],
        duplicates_dropped=description["duplicates_dropped"],
    )
