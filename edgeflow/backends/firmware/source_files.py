"""Generated sources on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgeflow.errors import ToolFailedError


def write_source_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write sources by their relative paths; raises ToolFailedError for one outside the folder."""
    for name, text in files.items():
        path = directory / name
        if not path.resolve().is_relative_to(directory.resolve()):
            raise ToolFailedError(
                f"The generated source names a file outside its folder: {name!r}.",
                hint="Report this as a defect of the code generator.",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
