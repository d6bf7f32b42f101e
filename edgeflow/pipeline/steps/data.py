"""Stage data: the three splits, preprocessing and postprocessing, once."""

from __future__ import annotations

from pathlib import Path

from edgeflow.data.dataset import Dataset, Split, wanted_outputs
from edgeflow.data.postprocessing import Postprocessing
from edgeflow.data.preprocessing import Preprocessing
from edgeflow.pipeline.stage import StageContext
from edgeflow.pipeline.steps.files import read_arrays, read_document, write_arrays, write_document
from edgeflow.progress import ProgressEvent

ARRAYS = "dataset.npz"
DESCRIPTION = "dataset.json"
PREPROCESSING = "preprocessing.json"
POSTPROCESSING = "postprocessing.json"
SPLITS = ("train", "validation", "test")


def run(context: StageContext) -> None:
    """Load and split the data."""
    from edgeflow.data.sources import load

    dataset = load(context.plan.config.data, context.progress)
    context.progress(ProgressEvent("data", _described(dataset)))
    write_dataset(dataset, context.output)


def _described(dataset: Dataset) -> str:
    """The task and the sizes of the parts in words."""
    sizes = [f"{len(getattr(dataset, name))} {name}" for name in SPLITS]
    asked = "no labels" if dataset.test.y is None else wanted_outputs(dataset)
    return f"{dataset.task}: {dataset.name}, {', '.join(sizes)}; {asked}"


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """Write a data set into a folder; `read_dataset` gives an equal one."""
    splits = {name: getattr(dataset, name) for name in SPLITS}
    arrays = {f"{name}_{part}": getattr(s, part) for name, s in splits.items() for part in "xy"}
    write_arrays(folder / ARRAYS, {k: array for k, array in arrays.items() if array is not None})
    write_document(
        folder / DESCRIPTION,
        {
            "name": dataset.name,
            "content_hash": dataset.content_hash,
            "duplicates_dropped": dataset.duplicates_dropped,
        },
    )
    write_document(folder / PREPROCESSING, dataset.preprocessing.model_dump(mode="json"))
    write_document(folder / POSTPROCESSING, dataset.postprocessing.model_dump(mode="json"))


def read_dataset(folder: Path) -> Dataset:
    """The data set that `write_dataset` wrote."""
    arrays = read_arrays(folder / ARRAYS)
    description = read_document(folder / DESCRIPTION)
    postprocessing = read_postprocessing(folder)
    splits = {name: Split(arrays[f"{name}_x"], arrays.get(f"{name}_y")) for name in SPLITS}
    return Dataset(
        name=description["name"],
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        classes=postprocessing.classes,
        preprocessing=Preprocessing.model_validate_json((folder / PREPROCESSING).read_bytes()),
        content_hash=description["content_hash"],
        duplicates_dropped=description["duplicates_dropped"],
        task=postprocessing.task,
        target=postprocessing.target,
    )


def read_postprocessing(folder: Path) -> Postprocessing:
    """What the answers to a data set that `write_dataset` wrote mean."""
    return Postprocessing.model_validate_json((folder / POSTPROCESSING).read_bytes())
