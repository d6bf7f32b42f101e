"""The report is one self-contained file that shows every figure with its kind."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from edgeflow.bundle.summary import NetworkRow
from edgeflow.report.plots import score_plot
from edgeflow.report.render import render
from tests.bundle.examples import SUMMARY


@pytest.fixture(scope="module")
def html() -> str:
    return render(SUMMARY)


def test_the_same_summary_gives_the_same_bytes(html: str) -> None:
    assert render(SUMMARY) == html


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for name, value in attrs:
                if name in ("src", "href", "xlink:href") and not str(value).startswith("#"):
                    found.append(f"{tag} {name}={value}")
            assert tag not in ("script", "link", "iframe")

    Links().feed(html)
    assert found == []
    assert "url(http" not in html


def test_figures_carry_value_and_kind(html: str) -> None:
    assert "123,456 instructions" in html
    assert re.search(r'class="kind simulated">simulated', html)
    assert "98.50%" in html


def test_five_plots_are_drawn(html: str) -> None:
    assert html.count("<svg") == 5


def test_text_from_files_is_escaped(html: str) -> None:
    assert "a &lt;Cortex-M4&gt; &amp; friends" in html


def test_a_refused_artifact_says_so() -> None:
    check = SUMMARY.checks[0].model_copy(update={"passed": False, "detail": "3 images differ"})
    html = render(SUMMARY.model_copy(update={"checks": (check,)}))
    assert "Refused" in html
    assert "3 images differ" in html


def test_a_long_layer_name_is_cut_on_screen_and_whole_in_its_title() -> None:
    name = "model/activation/Relu;" * 20
    layer = SUMMARY.layers[0].model_copy(update={"name": name})
    html = render(SUMMARY.model_copy(update={"layers": (layer, *SUMMARY.layers[1:])}))
    assert f'<td class="name" title="{name}">' in html
    assert re.search(r"td\.name \{[^}]*max-width:[^}]*text-overflow: ellipsis", html)


def test_the_table_numbers_layers_as_the_plot_does(html: str) -> None:
    for index, row in enumerate(SUMMARY.layers):
        assert f'<td class="n">{index:02d}</td><td>{row.operator}</td>' in html


def test_the_accuracy_axis_has_no_tick_beyond_one_hundred_percent() -> None:
    rows = tuple(row.model_copy(update={"value": 1.0}) for row in SUMMARY.accuracies)
    plot = score_plot(SUMMARY.model_copy(update={"accuracies": rows}))
    ticks = [float(text) for text in re.findall(r">\s*(\d+\.\d)\s*</text>", plot)]
    assert ticks
    assert max(ticks) <= 100


def test_without_labels_a_sentence_stands_in_the_place_of_the_accuracy_plot(html: str) -> None:
    found = render(SUMMARY.model_copy(update={"accuracies": (), "epochs": ()}))
    assert "The data has no labels, so no accuracy was counted" in found
    assert "The data has no labels" not in html
    assert found.count("<svg") == 3
    assert '<th class="n">value</th><th>better</th>' not in found


def test_every_training_that_one_was_chosen_from_is_listed() -> None:
    rows = (
        NetworkRow(seed=0, learning_rate=0.01, score=0.91234, chosen=False),
        NetworkRow(seed=1, learning_rate=0.01, score=0.95, chosen=True),
        NetworkRow(seed=2, learning_rate=10.0, score=None, chosen=False),
    )
    html = render(SUMMARY.model_copy(update={"networks": rows}))
    assert "The best of 3 trainings" in html
    assert "0.9123" in html
    assert html.count("diverged") == 1
    assert html.count("<td>chosen</td>") == 1
