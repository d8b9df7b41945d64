"""Finds passwords in text, however they were written down there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote, quote_plus

# Pieces that are too long to be there by chance; eleven characters in a row always hold a whole one.
_PIECE = 8
_STEP = 4


def passwords_in(text: str, passwords: Iterable[str]) -> list[str]:
    """Which of them can be read in `text`, whole or in part, and in what form. The passwords are not repeated."""
    found = []
    for number, password in enumerate(passwords):
        forms = {form for form, written in _written(password) if written in text}
        if forms:
            found.append(f"password {number}: {', '.join(sorted(forms))}")
    return found


def _written(password: str) -> Iterator[tuple[str, str]]:
    last = max(0, len(password) - _PIECE)
    for start in {*range(0, last, _STEP), last}:
        part = password[start : start + _PIECE]
        yield "as it is", part
        yield "URL-encoded", quote(part, safe="")
        yield "URL-encoded", quote_plus(part)
        yield "in JSON", json.dumps(part)[1:-1]
        yield "in JSON in JSON", json.dumps(json.dumps(part)[1:-1])[1:-1]
        yield "in HTML or XML", escape(part)
        yield "as bytes", str(list(part.encode()))[1:-1]
        yield "as bytes", str(list(part.encode()))[1:-1].replace(" ", "")
        yield "in hexadecimal", part.encode().hex()
    yield "in base64", base64.b64encode(password.encode()).decode().rstrip("=")[:-2]
