"""`edgeflow verify` and `edgeflow report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.cli.outcome import error_document, print_document, tell_error
from edgeflow.cli.progress import drawn_progress
from edgeflow.cli.tables import print_rows, summary_document, summary_rows
from edgeflow.errors import BundleError, ExitCode, VerdictError

if TYPE_CHECKING:
    from edgeflow.bundle.summary import Summary

FIGURES = "figures.json"
REPORT = "report.html"


def run_verify(bundle: Path, device: str | None, as_json: bool) -> int:
    """Check a bundle; a difference is exit code 1."""
    from edgeflow.bundle.verify import require, verify

    with drawn_progress() as progress:
        found = verify(bundle, progress, device)
    refusal: VerdictError | None = None
    try:
        require(found)
    except VerdictError as error:
        refusal = error
    if as_json:
        document = {
            "bundle": str(found.bundle),
            "target": found.target,
            "model": found.model,
            "passed": found.passed,
            "checks": [check.model_dump(mode="json") for check in found.checks],
        }
        if refusal is not None:
            document["error"] = error_document(refusal.exit_code, refusal.message, refusal.hint)
        print_document(document)
    else:
        print_rows([("ok" if c.passed else "FAILED", c.name, c.detail) for c in found.checks])
    if refusal is None:
        return int(ExitCode.OK)
    tell_error(refusal.exit_code, refusal.message, refusal.hint, as_json=False)
    return int(refusal.exit_code)


def run_report(directory: Path, output: Path | None, as_json: bool) -> int:
    """Show a build's figures; render the report anew into `output` if given."""
    from edgeflow.report.render import render

    summary = read_summary(directory)
    path = directory / REPORT
    if output is not None:
        from edgeflow.pipeline.storage import storage_errors, write_file

        path = output
        with storage_errors(output.parent, "another --output"):
            write_file(output, render(summary).encode())
    if as_json:
        print_document({"report": str(path), **summary_document(summary)})
    else:
        print_rows([*summary_rows(summary), ("report", str(path), "")])
    return int(ExitCode.OK)


def read_summary(directory: Path) -> Summary:
    """The figures of a run directory or a bundle."""
    from pydantic import ValidationError

    from edgeflow.bundle.summary import Summary

    try:
        return Summary.model_validate_json((directory / FIGURES).read_bytes())
    except OSError as error:
        raise BundleError(
            f"{directory} holds no readable {FIGURES}: {error.strerror}",
            hint="name a run directory whose build came to its verdict, or a bundle",
        ) from error
    except ValidationError as error:
        raise BundleError(
            f"{directory / FIGURES} is damaged: {error.errors()[0]['msg']}",
            hint="run `edgeflow build` again",
        ) from error
