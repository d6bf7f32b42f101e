"""The commented configuration file that `edgeflow init` writes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from edgeflow.errors import UsageError
from edgeflow.pipeline.config import CONFIG_FILE, SEEDED_SECTIONS, Config
from edgeflow.pipeline.storage import storage_errors, write_file

_HEAD = """\
# Configuration of edgeflow. Every option stands here with its default; remove the # before a line
# to change it. The command line goes before this file, and paths are relative to it.
# Run: edgeflow build
"""


def template() -> str:
    """A file with every section and option; as it is, it gives the defaults."""
    lines = [_HEAD]
    for name, field in Config.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        lines += _section(name, section)
    return "\n".join(lines).rstrip() + "\n"


def write_template(folder: Path) -> Path:
    """Write the file into `folder`, which is made where needed; never over another file."""
    path = folder / CONFIG_FILE
    with storage_errors(folder, "another directory"):
        if path.exists() or path.is_symlink():
            raise UsageError(
                f"{path} exists already", hint="move it away first; nothing was written"
            )
        write_file(path, template().encode())
    return path


def _section(name: str, model: type[BaseModel]) -> Iterable[str]:
    yield f"# {(model.__doc__ or '').strip().splitlines()[0]}"
    yield f"[{name}]"
    nested = []
    for key, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            nested.append((f"{name}.{key}", type(default)))
        else:
            own_seed = key == "seed" and name in SEEDED_SECTIONS
            yield _line(key, default) + ("    # that of [build] by default" if own_seed else "")
    yield ""
    for path, section in nested:
        yield from _section(path, section)


def _line(key: str, default: Any) -> str:
    if default is None:
        return f"# {key} =            # none by default"
    if isinstance(default, Enum):
        allowed = ", ".join(str(member.value) for member in type(default))
        return f'# {key} = "{default.value}"    # one of: {allowed}'
    return "# " + tomli_w.dumps({key: default}).strip()
