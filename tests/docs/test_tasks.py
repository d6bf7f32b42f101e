"""The page on tasks names every task, and budgets, networks and options that exist."""

from __future__ import annotations

import json
import re
import tomllib

from edgeflow.data.postprocessing import Postprocessing
from edgeflow.data.task import Task
from edgeflow.gate.budget import LIMITED
from edgeflow.nets.registry import AUTOENCODERS
from edgeflow.pipeline.budgets import parse_budgets
from edgeflow.pipeline.config import from_values
from tests.docs.markdown import examples, page

TEXT = page("tasks.md")


def test_every_task_network_and_score_of_a_budget_is_named() -> None:
    assert all(f"| `{task}` |" in TEXT for task in Task)
    assert all(f"`{name}`" in TEXT for name in AUTOENCODERS)
    stated = re.findall(r"\b((?:accuracy|rmse|auc)=[\d.]+)", TEXT)
    named = {name for argument in stated for name in parse_budgets([argument])}
    assert named == {field for field, _ in LIMITED.values()}


def test_configurations_and_documents_are_what_the_program_reads() -> None:
    configurations = re.findall(r"^\$ cat edgeflow\.toml\n(.*?)^\$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(configurations) == 2
    for text in configurations:
        from_values(tomllib.loads(text), "the page")
    (document,) = examples("tasks.md", "json")
    assert Postprocessing.model_validate(json.loads(document)).task is Task.REGRESSION
