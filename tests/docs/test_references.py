"""Pages that name a file, a function or a test name one that exists."""

from __future__ import annotations

import pytest

from tests.docs.markdown import ROOT, Reference, defines, listings, references

PAGES = ("adding-a-target.md", "adding-a-backend.md", "adding-an-operator.md")
REFERENCES = [(name, reference) for name in PAGES for reference in references(name)]
QUOTATIONS = [
    (name, listing)
    for name in PAGES
    for language in ("python", "c")
    for listing in listings(name, language)
    if listing.quoted_from is not None
]


@pytest.mark.parametrize(("page", "reference"), REFERENCES)
def test_what_a_page_names_exists(page: str, reference: Reference) -> None:
    path = ROOT / reference.path
    assert path.exists(), f"{page}: {reference.path}"
    if reference.name is not None:
        assert defines(path.read_text(encoding="utf-8"), reference.name), f"{page}: {reference}"


@pytest.mark.parametrize(("page", "listing"), QUOTATIONS)
def test_quotations_are_the_source(page: str, listing) -> None:
    assert listing.text in (ROOT / listing.quoted_from).read_text(encoding="utf-8")


def test_every_page_names_places_and_tests() -> None:
    for page in PAGES:
        named = {reference.path.split("/")[0] for name, reference in REFERENCES if name == page}
        assert {"edgeflow", "tests"} <= named, page
