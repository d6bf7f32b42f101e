"""Runs the short line; arguments: run directory, pause in seconds, extra bytes to write."""

from __future__ import annotations

import sys
from pathlib import Path

from edgeflow.cli.outcome import run_command
from tests.pipeline import small_line

small_line.PAUSE_SECONDS = float(sys.argv[2])
small_line.EXTRA_BYTES = int(sys.argv[3])


def build() -> int:
    small_line.run_line(Path(sys.argv[1]))
    return 0


sys.exit(run_command(build, as_json=False, debug=False))
