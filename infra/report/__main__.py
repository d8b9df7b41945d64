"""Makes one HTML page and a CSV from what audits answered.

Without --from it asks the deployed function, with the settings of `make deploy`; nothing is changed there. The answers
are kept beside the page, so that it can be made from them again.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TextIO

import deploy
from deploy import Problem

from . import remote
from .answers import Account, read
from .digest import Digest
from .page import count, render
from .table import Table

OUT = deploy.ROOT / "target" / "report"
PAGE, TABLE, ANSWERS = "report.html", "report.csv", "answers.jsonl"


def main(arguments: list[str] | None = None, samconfig: Path = deploy.SAMCONFIG) -> None:
    """Makes the report."""
    parser = argparse.ArgumentParser(
        prog="report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--from", dest="file", type=Path, help="a file with one answer, or one a line")
    source.add_argument("--accounts", default="", help="accounts to ask the function about; * for all", metavar="IDS")
    parser.add_argument("--out", type=Path, default=OUT, help="the directory to write to")
    options = parser.parse_args(arguments)
    with deploy.plainly():
        if options.file:
            from_file(options.file, options.out)
        else:
            deployed(deploy.Settings(samconfig), options.accounts.split(), options.out)


def from_file(file: Path, out: Path) -> None:
    """Makes the report from answers that were kept."""
    digest = make(read(file), out)
    written = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    audited_at, date_from = date_of(digest, written)
    write(digest, audited_at, date_from, out)


def deployed(settings: deploy.Settings, account_ids: list[str], out: Path) -> None:
    """Asks the deployed function, and makes the report from what it answers."""
    for account_id in account_ids:
        if account_id != remote.EVERYWHERE and not re.fullmatch(r"\d{12}", account_id):
            raise Problem(f"{account_id} is no account: give account ids of 12 digits, or * for all accounts")
    asked_at = datetime.now(timezone.utc)
    out.mkdir(parents=True, exist_ok=True)

    def answers(kept: TextIO) -> Iterator[Account]:
        for text, accounts in remote.ask(settings, list(dict.fromkeys(account_ids))):
            kept.write(f"{text}\n")
            kept.flush()
            yield from accounts

    with (out / ANSWERS).open("w", encoding="utf-8") as kept:
        digest = make(answers(kept), out)
    write(digest, asked_at, "the date is that of the question, as answers carry none", out)


def make(accounts: Iterator[Account], out: Path) -> Digest:
    """Writes the CSV and counts, in one go."""
    out.mkdir(parents=True, exist_ok=True)
    digest = Digest()
    with replacing(out / TABLE) as file:
        table = Table(file)
        for account in accounts:
            digest.add(account)
            table.add(account)
        if not digest.rows:
            raise Problem("the answers name no account")
    return digest


def write(digest: Digest, audited_at: datetime, date_from: str, out: Path) -> None:
    """Writes the page and says what is where."""
    with replacing(out / PAGE) as file:
        file.write(render(digest, audited_at, date_from, TABLE))
    users, answered = digest.totals["users"], len(digest.answered)
    page, table = (Path(os.path.relpath(out / name)) for name in (PAGE, TABLE))
    print(
        f"{page}: {count(users, 'console user')} in {count(answered, 'account')}, {digest.too_old:,} with a "
        f"password that is too old\n{table}: all of them"
    )
    if digest.missing:
        print(f"not in the report: {count(len(digest.missing), 'account')}; the page says why")


def date_of(digest: Digest, written: datetime) -> tuple[datetime, str]:
    """When the audit was, and where that is known from. A file may be a copy; ages and dates tell its real time."""
    seen = digest.seen_at
    if seen is None or seen <= written < seen + timedelta(days=1):
        return written, "the date is that of the file with the answers"
    return seen, "the date is the one on which the passwords had these ages, as answers carry none"


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file that takes its place once it is complete."""
    part = path.with_name(f"{path.name}.part")
    try:
        # The CSV writes its own ends of lines.
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
