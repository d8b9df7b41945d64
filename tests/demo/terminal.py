"""Plain output for people: headings, indented facts, checks. Colours on a terminal only, and never a password."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

_WIDTH = 100
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}


class Terminal:
    """Writes to standard output and remembers it, so that it can be searched for what must not be in it."""

    def __init__(self) -> None:
        sys.stdout.reconfigure(errors="replace", line_buffering=True)
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._written: list[str] = []
        self.failed: list[str] = []

    def heading(self, title: str, explanation: str = "") -> None:
        """The begin of a scene."""
        self._write("")
        self._write(f"== {title} ".ljust(_WIDTH, "="), "bold", "cyan")
        for line in textwrap.wrap(explanation, _WIDTH):
            self._write(line, "dim")

    def title(self, text: str) -> None:
        """A line above what belongs to it."""
        self._write("")
        self._write(f"  {text}", "bold")

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Names and values, one a line."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self._write(f"    {name.ljust(width)}  {value}")

    def rows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Lines in columns."""
        table = [[str(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            self._write("    " + "  ".join(map(str.ljust, row, widths)).rstrip())

    def quote(self, text: str) -> None:
        """Somebody else's words, line for line."""
        for line in text.rstrip().splitlines():
            self._write(f"    | {line}".rstrip())

    def json(self, value: Any) -> None:
        """A document, indented."""
        self.quote(json.dumps(value, indent=2, ensure_ascii=False))

    def check(self, what: str, holds: bool) -> None:
        """Something that must be so. It is said either way; `failed` keeps what was not."""
        if holds:
            self._write(f"  ok    {what}", "green")
        else:
            self.failed.append(what)
            self._write(f"  FAIL  {what}", "red", "bold")

    def line(self, text: str = "") -> None:
        """Just that."""
        self._write(text)

    def shows_any_of(self, secrets: Iterable[str]) -> bool:
        """Whether one of them has been written."""
        written = "\n".join(self._written)
        return any(secret in written or json.dumps(secret)[1:-1] in written for secret in secrets)

    def _write(self, text: str, *styles: str) -> None:
        self._written.append(text)
        if styles and self._coloured:
            text = f"\033[{';'.join(_STYLES[style] for style in styles)}m{text}\033[0m"
        print(text)


def masked(value: Mapping[str, Any]) -> str:
    """What a version of a secret holds, as it is stored, but for the password."""
    return json.dumps({**value, "password": value["password"] and "*" * len(value["password"])})


def show_secrets(terminal: Terminal, secrets: Iterable[Mapping[str, Any]]) -> None:
    """Names, tags and versions."""
    for secret in secrets:
        terminal.title(f"Secret {secret['name']}")
        terminal.facts({"tags": ", ".join(f"{key}={value}" for key, value in sorted(secret["tags"].items()))})
        for version in secret["versions"]:
            labels = ", ".join(version["labels"]) or "none"
            terminal.facts({f"version {version['version_id'][:8]}...": f"labels: {labels}"})
            terminal.line(f"      {masked(version['value'])}")


def show_finding_updates(terminal: Terminal, updates: Iterable[Mapping[str, Any]]) -> None:
    """What was recorded on findings."""
    for update in updates:
        changes = update["changes"]
        workflow = changes.get("Workflow", {}).get("Status") or f"status {changes.get('status_id')}"
        note = changes.get("Note", {}).get("Text") or changes.get("comment")
        terminal.title(f"Finding updated ({update['api']})")
        terminal.facts({"workflow": workflow, "note": note})


def show_message(terminal: Terminal, message: Mapping[str, Any], *, in_full: bool = True) -> None:
    """A message as its receiver gets it by e-mail, and what subscriptions can be filtered by."""
    attributes = ", ".join(f"{key}={value}" for key, value in sorted(message["attributes"].items()))
    terminal.title(f"Message: {message['subject']}")
    terminal.facts({"attributes": attributes})
    if in_full:
        terminal.quote(message["bodies"]["email"])
