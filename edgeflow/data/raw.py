"""What a reader of files returns, before it is split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeflow.data.dataset import Split
from edgeflow.data.preprocessing import FrontEnd
from edgeflow.data.task import Task


@dataclass(frozen=True, eq=False)
class RawData:
    """Parts of the source: "train", also "validation" and "test" where they exist.

    Data without labels is part "test" alone and has no classes. Labels of classification are
    numbers of `classes`, of regression quantities [N, outputs] in their own unit; of anomaly
    detection the test part alone has them, 0 normal and 1 anomalous.
    """

    name: str
    parts: Mapping[str, Split]
    classes: tuple[str, ...]
    front_end: FrontEnd
    task: Task = Task.CLASSIFICATION
