"""What the README says is what the program and its benchmark say."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from edgeflow.errors import ExitCode
from edgeflow.nets.registry import NETWORKS
from edgeflow.targets import registry

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_tables_are_those_of_the_results() -> None:
    from benchmarks.readme_table import TABLES, with_tables

    for page in {part.page for part in TABLES}:
        text = page.read_text("utf-8")
        assert with_tables(page, text) == text


def test_every_target_and_network_is_named() -> None:
    for name in (*registry.names(), *NETWORKS):
        assert f"`{name}`" in README


def test_the_exit_codes_are_those_of_the_program() -> None:
    stated = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert stated == {int(code) for code in ExitCode if code < ExitCode.INTERNAL}


def test_the_board_of_the_example_is_a_valid_target(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert example is not None
    path = tmp_path / "my-board.toml"
    path.write_text(example.group(1), "utf-8")
    assert registry.load_file(path).name == tomllib.loads(example.group(1))["name"]


def test_every_page_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_the_first_screen_shows_the_figures_of_the_results() -> None:
    from benchmarks.readme_table import RESULTS

    document = json.loads(RESULTS.read_text("utf-8"))
    digits = next(
        row
        for row in document["measurements"]
        if row["model"].startswith("digits") and row["target"] == "cortex-m4"
    )
    figures = {row["name"]: row["value"] for row in digits["figures"]}
    shown = dict(re.findall(r"^(\S.*?)  +([\d,.]+)[ %].*$", README, re.MULTILINE))
    assert int(shown["instructions per inference"].replace(",", "")) == int(
        figures["instructions per inference"]
    )
    assert int(shown["flash"].replace(",", "")) == figures["flash"]
    assert int(shown["arena"].replace(",", "")) == figures["arena"]
