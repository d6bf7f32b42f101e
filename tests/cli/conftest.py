from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
QUICK = """\
[train]
epochs = 2
[quantize]
epochs = 1
calibration_samples = 64
"""


@dataclass(frozen=True)
class Ended:
    """A finished `edgeflow` process."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document of stdout; fails if there is more or less."""
        return json.loads(self.out)


def edgeflow(*arguments: object, **environment: str) -> Ended:
    import os

    command = [sys.executable, "-m", "edgeflow", *map(str, arguments)]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment},
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Built:
    """A finished build: its directory, configuration file and process."""

    run_dir: Path
    config: Path
    ended: Ended


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A quick real build of digits for the Cortex-M4."""
    folder = tmp_path_factory.mktemp("built")
    config = folder / "edgeflow.toml"
    config.write_text(QUICK, encoding="utf-8")
    arguments = ("build", "--config", config, "--run-dir", folder / "run", "--json")
    ended = edgeflow(*arguments)
    assert ended.code == 0, ended.err
    return Built(folder / "run", config, ended)
