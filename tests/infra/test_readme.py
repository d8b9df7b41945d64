"""README.ja.md against README.md: what one of them names, the other does."""

from __future__ import annotations

import re

import pytest

from .cfn import ROOT

ENGLISH, JAPANESE = ((ROOT / name).read_text() for name in ("README.md", "README.ja.md"))


def names(readme: str, column: str) -> list[str]:
    """The first cells of the table whose first column is called so."""
    [(_, rows)] = re.findall(rf"(?m)^\| ({column}) \|.*\n\|[ |-]+\n((?:\|.*\n)+)", readme)
    return re.findall(r"(?m)^\| (.+?) \|", rows)


@pytest.mark.parametrize(
    ("english", "japanese", "least"),
    [("variable", "変数", 24), ("`kind`", "`kind`", 7)],
)
def test_the_tables_name_the_same(english: str, japanese: str, least: int) -> None:
    found = names(ENGLISH, english)
    assert len(found) >= least
    assert names(JAPANESE, japanese) == found


def test_no_name_in_japanese_is_unknown_in_english() -> None:
    def words(readme: str) -> set[str]:
        return set(re.findall(r"`([^`\s]+)`", re.sub(r"(?ms)^```.*?^```$", "", readme)))

    assert len(words(JAPANESE)) > 150
    assert words(JAPANESE) <= words(ENGLISH)


@pytest.mark.parametrize("readme", [ENGLISH, JAPANESE], ids=["English", "Japanese"])
def test_every_link_within_leads_somewhere(readme: str) -> None:
    headings = re.findall(r"(?m)^#+ (.+)$", readme)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", readme)
    assert links
    assert set(links) <= anchors
