"""`edgeflow profile` and `edgeflow profiles diff` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeflow.cli.app import run

SHIPPED = ("cortex-m4/reference-networks", "cortex-m7/reference-networks")


def test_diff_shows_headers_and_ratios(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "diff", *SHIPPED]) == 0
    shown = capfd.readouterr().out
    assert "Cortex-M7" in shown
    assert "second/first" in shown


def test_diff_is_one_document(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "diff", *SHIPPED, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)["difference"]
    assert document["unit"] == "instructions"
    assert document["both"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--network", "smal"], 3, "there is no network"),
        (["--network", "small"], 2, "--input"),
        (["--network", "small", "--input", "32x32", "--outputs", "10"], 2, "no shape"),
        (["--network", "small", "--input", "0x32x3", "--outputs", "10"], 2, "no shape"),
        (["--network", "absent.json"], 3, "absent.json"),
        (["--network", "no.module:spec"], 3, "no.module"),
        ([], 2, "network"),
    ],
)
def test_what_cannot_be_profiled_is_refused(
    arguments: list[str],
    code: int,
    told: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = ["profile", "--target", "cortex-m4", "--folder", str(tmp_path), *arguments]
    assert run(given) == code
    assert told in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
