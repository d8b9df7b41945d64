"""Writes docs/report-example.*: invented answers, the page made from them, and a picture of its top."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
sys.path.append(str(DOCS.parent / "infra"))

import audits  # noqa: E402
import browser  # noqa: E402
from report.answers import read  # noqa: E402
from report.digest import digest  # noqa: E402
from report.page import render  # noqa: E402

WIDTH = 1200


def main() -> None:
    """Writes all three."""
    answers, page = DOCS / "report-example.jsonl", DOCS / "report-example.html"
    answers.write_text(audits.example())
    page.write_text(render(digest(read(answers)), audits.NOW, audits.DATE_FROM, "report.csv"))
    if not browser.find():
        sys.exit(f"the picture was not renewed: none of {', '.join(browser.NAMES)} is installed")
    with browser.running() as chromium:
        tab = chromium.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
        tab.goto(page.as_uri())
        height = tab.locator("#by-account").bounding_box()
        assert height
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height["y"] + height["height"] + 20}
        tab.screenshot(path=DOCS / "report-example.png", clip=clip, full_page=True)


if __name__ == "__main__":
    main()
