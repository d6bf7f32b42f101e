"""What the pages of `docs/` say that a test can check: listings and references."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_LISTING = re.compile(r"^```(\w+)(?: ([^\n`]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(
    r"`((?:edgeflow|tests|targets|profiles|benchmarks|docs)/[\w./-]*)(?:::(\w+))?`"
)


@dataclass(frozen=True)
class Listing:
    """A fenced block; `quoted_from` is the file that it quotes, if it says one."""

    language: str
    quoted_from: str | None
    text: str


@dataclass(frozen=True)
class Reference:
    """A path of the repository, and a name that the file there defines, if one is given."""

    path: str
    name: str | None


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def listings(name: str, language: str) -> list[Listing]:
    """The fenced blocks of a language, in order."""
    found = [Listing(*match.groups()) for match in _LISTING.finditer(page(name))]
    return [listing for listing in found if listing.language == language]


def examples(name: str, language: str) -> list[str]:
    """The blocks that quote nothing: what a reader copies."""
    return [found.text for found in listings(name, language) if found.quoted_from is None]


def references(name: str) -> list[Reference]:
    """Every path in backticks, with its `::name`."""
    return [Reference(*match.groups()) for match in _REFERENCE.finditer(page(name))]


def defines(text: str, name: str) -> bool:
    """Whether Python source defines a function, class or variable of that name at its top level."""
    return bool(re.search(rf"^(?:(?:async )?def|class) {name}\b|^{name}\b[^\n=]*=", text, re.M))
