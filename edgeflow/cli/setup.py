"""`edgeflow doctor` and `edgeflow init`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edgeflow.cli.outcome import print_document
from edgeflow.cli.tables import print_rows
from edgeflow.errors import ExitCode


def run_doctor(as_json: bool) -> int:
    """Show every finding; exit code 4 when something required is missing."""
    from edgeflow.pipeline.doctor import State, examine

    findings = examine()
    ready = all(finding.state is not State.MISSING for finding in findings)
    if as_json:
        print_document({"ready": ready, "findings": [asdict(finding) for finding in findings]})
    else:
        rows = [(f.state.value, f.name, f.detail) for f in findings]
        rows += [("to do", f.name, f.remedy) for f in findings if f.remedy and f.state != State.OK]
        print_rows(rows)
    return int(ExitCode.OK if ready else ExitCode.MISSING_TOOL)


def run_init(directory: Path, as_json: bool) -> int:
    """Write the commented configuration file."""
    from edgeflow.pipeline.template import write_template

    path = write_template(directory)
    if as_json:
        print_document({"written": str(path)})
    else:
        print_rows([("written", str(path))])
    return int(ExitCode.OK)
