"""infra/report: what it takes for an answer, the page and the CSV that it makes of it, and the page in a browser."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

import pytest

from . import audits, browser
from .audits import NOW, audit, audited, failed, invented, user
from .cfn import ROOT

sys.path.append(str(ROOT / "infra"))

import deploy  # noqa: E402
from report import __main__ as command  # noqa: E402
from report import table  # noqa: E402
from report.answers import parse, read  # noqa: E402
from report.digest import SHOWN, digest  # noqa: E402
from report.figure import bars  # noqa: E402
from report.page import render  # noqa: E402

OWN, OTHER = "123456789012", "210987654321"
# Names that IAM allows or somebody would like to: markup, a template's signs, formulas.
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "=1+1", "+1", "-1", "@SUM(A1)")


# Reading the page ----------------------------------------------------------------------------------------------------


class _Tree(HTMLParser):
    """The page as a tree. An end tag that closes nothing, or the wrong element, is an error."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self._builder = TreeBuilder()
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open
        self.root = self._builder.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attributes}) == len(attributes), f"an attribute of {tag} comes twice"
        self._builder.start(tag, {name: value or "" for name, value in attributes})
        if tag in self.VOID:
            self._builder.end(tag)
        else:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._builder.start(tag, {name: value or "" for name, value in attributes})
        self._builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._builder.end(tag)

    def handle_data(self, data: str) -> None:
        if self._open:
            self._builder.data(data)


class Page:
    """What a page says."""

    def __init__(self, source: str) -> None:
        self.source, self.root = source, _Tree(source).root

    def find(self, id: str) -> Element | None:
        return next((element for element in self.root.iter() if element.get("id") == id), None)

    def number(self, id: str) -> int:
        element = self.find(id)
        assert element is not None, id
        return int(re.sub(r"\D", "", text(element)))

    def listed(self, key: str) -> list[tuple[str, ...]]:
        """The rows of the list with this key."""
        [section] = [each for each in self.root.iter("section") if each.get("aria-labelledby") == key]
        return [cells(row) for body in section.iter("tbody") for row in body]

    def words(self) -> str:
        return text(self.root)


def text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def cells(row: Element) -> tuple[str, ...]:
    return tuple(text(cell) for cell in row)


def page(*answers: dict[str, Any]) -> Page:
    accounts = [account for answer in answers for account in parse(json.dumps(answer), "answer")]
    return Page(render(digest(accounts), NOW, audits.DATE_FROM, "report.csv"))


@pytest.fixture(scope="module")
def example() -> Page:
    answers = read(ROOT / "docs" / "report-example.jsonl")
    return Page(render(digest(answers), NOW, audits.DATE_FROM, "report.csv"))


def example_accounts() -> list[dict[str, Any]]:
    lines = (ROOT / "docs" / "report-example.jsonl").read_text().splitlines()
    return [account for line in lines for account in json.loads(line)["accounts"]]


# Answers -------------------------------------------------------------------------------------------------------------


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_one_answer_or_one_a_line(tmp_path: Path) -> None:
    one, other = audit(audited(OWN, [user("alice")])), audit(failed(OTHER, "no role"))
    pretty = write(tmp_path / "one.json", json.dumps(one, indent=2))
    lines = write(tmp_path / "two.jsonl", f"{json.dumps(one)}\n\n{json.dumps(other)}\n")
    assert [account.account_id for account in read(pretty)] == [OWN]
    assert [account.account_id for account in read(lines)] == [OWN, OTHER]


def test_the_message_of_a_failed_invocation_is_an_answer() -> None:
    error = {"errorType": "RemediationFailed", "errorMessage": json.dumps(audit(failed(OTHER, "no role")))}
    [account] = parse(json.dumps(error), "answer")
    assert (account.account_id, account.reason) == (OTHER, "no role")


def _without(field: str) -> str:
    answer = audit(audited(OWN, [user("alice")]))
    del answer["accounts"][0]["users"][0][field]
    return json.dumps(answer)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("no", "this is no JSON"),
        ('{"mode":"dry-run","users":[]}', "accounts: Field required"),
        ("[]", "no answer of an audit: the document"),
        (json.dumps({"errorType": "UnsupportedEvent", "errorMessage": "give an action"}), "UnsupportedEvent: give an"),
        (_without("mfa"), "accounts.0.users.0.mfa: Field required"),
        (json.dumps(audit(audited(OWN, [user("alice", state="odd")]))), "accounts.0.users.0.state: Input should be"),
        (json.dumps(audit(audited(OWN, [user("alice", last_sign_in="2026-11-20T12:00")]))), "last_sign_in"),
        (json.dumps(audit(audited("1<b>", []))), "accounts.0.account_id"),
        (json.dumps(audit(audited(OWN, [], totals=None))), f"account {OWN} has no totals"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(tmp_path: Path, content: str, told: str) -> None:
    first = json.dumps(audit(audited(OTHER, [])))
    file = write(tmp_path / "answers.jsonl", f"{first}\n{content}\n")
    with pytest.raises(deploy.Problem) as problem:
        list(read(file))
    assert f"{file}, line 2: " in str(problem.value)
    assert told in str(problem.value)


@pytest.mark.parametrize(
    "name",
    (
        *("users", "fresh", "expiring", "stale", "in_grace", "held", "exempt"),
        *("unclaimed", "without_mfa", "never_signed_in", "oldest_password_age_days"),
    ),
)
def test_totals_that_contradict_the_users_are_refused(name: str) -> None:
    account = audited(OWN, [user("alice")])
    account["totals"][name] += 1
    with pytest.raises(deploy.Problem, match=f"by totals, {name} is"):
        parse(json.dumps(audit(account)), "answer")


def test_an_account_counts_once() -> None:
    twice = audit(audited(OWN, [user("alice")]), audited(OWN, [user("alice")]))
    with pytest.raises(deploy.Problem, match=f"account {OWN} is in the answers twice"):
        digest(parse(json.dumps(twice), "answer"))
    queued = {"account_id": OWN, "status": "queued"}
    for order in ((queued, twice["accounts"][0]), (twice["accounts"][0], queued)):
        found = digest(parse(json.dumps(audit(*order)), "answer"))
        assert (len(found.answered), found.missing) == (1, [])


# The page ------------------------------------------------------------------------------------------------------------

_TILES = {
    "users": "users",
    "unclaimed-total": "unclaimed",
    "without-mfa-total": "without_mfa",
    "exempt-total": "exempt",
    "expiring-total": "expiring",
    "never-signed-in-total": "never_signed_in",
}
_COLUMNS = (
    *("users", "stale", "held", "in_grace", "expiring", "exempt", "fresh"),
    *("unclaimed", "without_mfa", "never_signed_in", "oldest_password_age_days"),
)


def test_the_headline_is_the_sum_of_the_answers(example: Page) -> None:
    totals = [account["totals"] for account in example_accounts() if account["status"] == "audited"]

    def sum_of(*names: str) -> int:
        return sum(total[name] for total in totals for name in names)

    assert {id: example.number(id) for id in _TILES} == {id: sum_of(name) for id, name in _TILES.items()}
    assert example.number("too-old") == sum_of("stale", "held", "in_grace")
    assert example.number("oldest") == max(total["oldest_password_age_days"] for total in totals)
    header = next(example.root.iter("header"))
    assert "Audit of 1 December 2026, 06:00 UTC 4 of 5 accounts Limit 60 to 90 days" in text(header)


def test_a_row_for_each_account_has_the_answers_totals(example: Page) -> None:
    accounts = [account for account in example_accounts() if account["status"] == "audited"]
    expected = {
        (account["account_id"], *(str(account["totals"][name]) for name in _COLUMNS), str(account["users"][0][_LIMIT]))
        for account in accounts
    }
    by_account = example.find("by-account")
    assert by_account is not None
    head, body, foot = (by_account.find(part) for part in ("thead", "tbody", "tfoot"))
    assert head is not None and body is not None and foot is not None
    rows = [cells(row) for row in body]
    assert set(rows) == expected
    too_old = [sum(map(int, row[2:5])) for row in rows]
    assert too_old == sorted(too_old, reverse=True)
    assert len(head[0]) == len(foot[0]) == len(rows[0])
    for column in range(1, len(_COLUMNS)):
        assert int(foot[0][column].text or "") == sum(int(row[column]) for row in rows)


_LIMIT = "max_password_age_days"
_GROUPS: dict[str, Callable[[dict[str, Any]], bool]] = {
    **{state: lambda user, state=state: user["state"] == state for state in ("stale", "held", "in-grace", "expiring")},
    "exempt": lambda user: user["state"] == "exempt",
    "unclaimed": lambda user: not user.get("secret", {"claimed": True})["claimed"],
    "without-mfa": lambda user: not user["mfa"],
    "never-signed-in": lambda user: "last_sign_in" not in user,
}


@pytest.mark.parametrize("key", _GROUPS)
def test_each_question_is_answered_with_its_users(example: Page, key: str) -> None:
    accounts = [(account["account_id"], found) for account in example_accounts() for found in account["users"]]
    expected = {(found["user_name"], account_id) for account_id, found in accounts if _GROUPS[key](found)}
    assert expected, "an example has to show something"
    rows = example.listed(key)
    assert len(rows) == len(expected)
    assert {row[:2] for row in rows} == expected
    assert example.number(key) == len(expected)


def test_a_list_says_what_there_is_to_know_and_begins_with_the_most_urgent() -> None:
    arn = f"arn:aws:secretsmanager:us-east-1:{OWN}:secret:iam-console-password/{OWN}/f-AbCdEf"
    finding = {"id": "x", "status": "FAILED", "workflow": "NEW"}
    shown = page(
        audit(
            audited(
                OWN,
                [
                    user("a", 91, "stale"),
                    user("b", 300, "stale", mfa=False, last_sign_in="2026-11-20T23:30:00-02:00", finding=finding),
                    user("c", None, "stale"),
                    user("d", 95, "in-grace", due="2026-12-09T00:00:00Z"),
                    user("e", 99, "in-grace", due="2026-12-03T00:00:00Z"),
                    user("f", secret={"arn": arn, "claimed": False, "stored_at": "2026-11-21T00:00:00Z"}),
                    user("g", secret={"arn": arn, "claimed": True}),
                    user("h", 89, "exempt", exempt_because="tags-unreadable"),
                    user("i", 90, "exempt", exempt_because="suppressed"),
                ],
            )
        )
    )
    assert shown.listed("stale") == [
        ("b", "300", "90", "2026-02-04", "2026-11-21", "no", "FAILED, NEW"),
        ("a", "91", "90", "2026-09-01", "none known", "yes", "none"),
        ("c", "–", "90", "not known", "none known", "yes", "none"),
    ]
    assert [row[:2] for row in shown.listed("in-grace")] == [("e", "2026-12-03"), ("d", "2026-12-09")]
    assert shown.listed("unclaimed") == [("f", "2026-11-21", "fresh", f"iam-console-password/{OWN}/f-AbCdEf")]
    exempt = [(row[0], row[1], row[4]) for row in shown.listed("exempt")]
    assert exempt == [("i", "finding suppressed by a person", "yes"), ("h", "tags could not be read", "no")]
    assert "The age of 1 password is not known." in shown.words()
    assert f"Account {OWN}" in shown.words()
    assert shown.find("by-account") is None


def test_a_sign_in_that_iam_does_not_know_is_not_said_never_to_have_been() -> None:
    account = audited(OWN, [user("alice"), user("bob")])
    account["totals"]["never_signed_in"] = 1
    shown = page(audit(account))
    assert shown.number("never-signed-in-total") == 1
    assert shown.number("never-signed-in") == 2
    assert "The function counts 1 as never signed in." in shown.words()


def test_the_structure_can_be_read_aloud(example: Page) -> None:
    levels = [int(element.tag[1]) for element in example.root.iter() if re.fullmatch(r"h[1-6]", element.tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert example.root.get("lang") == "en"
    for found in example.root.iter("table"):
        caption = found.find("caption")
        assert caption is not None and text(caption)
        assert all(header.get("scope") in ("col", "row") for header in found.iter("th"))
        widths = {len(row) for row in found.iter("tr")}
        assert len(widths) == 1, "every row has a cell for each column"
    [svg] = example.root.iter("svg")
    assert svg.get("role") == "img"
    assert "The ages of 161 passwords against the limits, 60 to 90 days" in (svg.get("aria-label") or "")
    ids = [element.get("id") for element in example.root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in example.root.iter():
        for name in ("aria-labelledby", "for"):
            assert element.get(name) is None or element.get(name) in ids
        assert not element.get("href", "#").startswith("#") or element.get("href", "#")[1:] in (*ids, "")


def test_nothing_comes_from_elsewhere(example: Page) -> None:
    for element in example.root.iter():
        assert element.tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        for name, value in element.attrib.items():
            assert not name.startswith("on"), "no script outside of the one"
            if name.endswith(("href", "src")):
                assert value.startswith("#")
            assert "://" not in value or name.startswith("xmlns")
            assert not re.search(r"url\((?!#)", value)
    [script] = example.root.iter("script")
    [style] = example.root.iter("style")
    assert not script.attrib
    assert not re.search(r"@import|url\(", style.text or "")
    [policy] = [meta.get("content", "") for meta in example.root.iter("meta") if "http-equiv" in meta.attrib]
    allowed = base64.b64encode(hashlib.sha256((script.text or "").encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{allowed}';" in policy


def test_the_figure_is_in_the_pages_colours_and_words(example: Page) -> None:
    [svg] = example.root.iter("svg")
    words = [text(element) for element in svg.iter("text")]
    assert {"limit 60", "limit 90", "age of the password in days", "users"} <= set(words)
    colours = {
        value for element in svg.iter() for value in re.findall(r"(?:fill|stroke): ([^;]+)", element.get("style", ""))
    }
    assert colours <= {f"var(--{name})" for name in ("ink", "rule", "fresh", "expiring", "old", "exempt")} | {"none"}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_reasons_are_text(name: str) -> None:
    plain = page(audit(audited(OWN, [user("x", 100, "stale")]), failed(OTHER, "x")))
    shown = page(audit(audited(OWN, [user(name, 100, "stale", mfa=False)]), failed(OTHER, name)))
    assert [row[0] for row in shown.listed("stale")] == [name]
    assert f"could not be audited: {name}" in shown.words()
    tags = [sorted({element.tag for element in each.root.iter()}) for each in (plain, shown)]
    assert tags[0] == tags[1]
    assert len(list(shown.root.iter("script"))) == 1


def test_the_colours_can_be_told_from_the_paper() -> None:
    """By WCAG 2.2: 4.5 to 1 for words, 3 to 1 for what is drawn."""
    style = (ROOT / "infra" / "report" / "style.css").read_text()
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root {([^}]+--[^}]+)}", style)
    )
    assert len(light) == len(dark)
    for colours in (light, dark):
        for paper in ("paper", "panel"):
            for words in ("ink", "quiet", "link", "old"):
                assert _contrast(colours[words], colours[paper]) >= 4.5, (words, paper)
        for drawn in ("fresh", "expiring", "old", "exempt", "rule"):
            assert _contrast(colours[drawn], colours["paper"]) >= 3, drawn


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


# Bars ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 7, 30, 90, 365, 1095])
@pytest.mark.parametrize("oldest", [0, 89, 90, 400, 5000])
def test_every_age_is_in_one_bar_and_the_limit_is_between_two(limit: int, oldest: int) -> None:
    users = [user(f"u{age}", age, "stale" if age >= limit else "fresh", limit) for age in {0, oldest // 2, oldest}]
    drawn = bars(digest(parse(json.dumps(audit(audited(OWN, users))), "answer")))
    assert sum(bar.users for bar in drawn) == len(users)
    assert [bar.end for bar in drawn[:-1]] == [bar.start for bar in drawn[1:]]
    assert limit in [bar.start for bar in drawn]
    assert len(drawn) <= 25
    for bar in drawn:
        assert not bar.counts["fresh"] if bar.start >= limit else not bar.counts["old"]


# Many, few, none -----------------------------------------------------------------------------------------------------


def run(tmp_path: Path, *answers: dict[str, Any]) -> tuple[Page, list[dict[str, str]]]:
    """`make report FROM=…` of these: the page, and the rows of the CSV."""
    file = write(tmp_path / "answers.jsonl", "".join(f"{json.dumps(answer)}\n" for answer in answers))
    out = tmp_path / "out"
    command.main(["--from", str(file), "--out", str(out)])
    with (out / "report.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert sorted(path.name for path in out.iterdir()) == ["report.csv", "report.html"]
    return Page((out / "report.html").read_text(encoding="utf-8")), rows


def test_five_thousand_users(tmp_path: Path) -> None:
    account = invented(OWN, 4995, seed=5)
    shown, rows = run(tmp_path, audit(account))
    assert len(rows) == shown.number("users") == 5000
    without = account["totals"]["without_mfa"]
    assert without > SHOWN == len(shown.listed("without-mfa"))
    assert shown.number("without-mfa") == without
    assert f"The first {SHOWN} of {without:,} users are shown. All of them are in report.csv." in shown.words()
    ages = [int(row[2].replace(",", "")) for row in shown.listed("without-mfa")]
    hidden = sorted(found["password_age_days"] for found in account["users"] if not found["mfa"])[:-SHOWN]
    assert ages == sorted(ages, reverse=True)
    assert ages[-1] >= hidden[-1]
    assert len(shown.source) < 1_000_000


def test_three_hundred_accounts(tmp_path: Path) -> None:
    accounts = [
        failed(f"{number:012}", f"no role {number}") if number % 10 == 0 else invented(f"{number:012}", 20, number)
        for number in range(300)
    ]
    shown, rows = run(tmp_path, *(audit(account) for account in accounts))
    by_account = shown.find("by-account")
    assert by_account is not None
    assert len(by_account.find("tbody") or ()) == 270
    assert len(rows) == shown.number("users") == 270 * 21
    assert "270 of 300 accounts" in shown.words()
    # The first of those that are missing above the numbers, all of them below.
    [notice] = [each for each in shown.root.iter("section") if each.get("aria-labelledby") == "missing"]
    assert "Not in this report: 30 accounts" in text(notice)
    assert "and 27 more accounts" in text(notice)
    assert all(f"no role {number}" in shown.words() for number in range(0, 300, 10))
    assert len(shown.source) < 1_000_000


def test_an_account_without_console_users(tmp_path: Path) -> None:
    shown, rows = run(tmp_path, audit(audited(OWN, [])))
    assert rows == []
    assert shown.number("users") == shown.number("too-old") == 0
    assert list(shown.root.iter("svg")) == []
    assert shown.words().count("Nobody.") == len(_GROUPS)
    assert "Limit" not in text(next(shown.root.iter("header")))


def test_audits_that_failed_or_were_only_queued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queued = {"account_id": "345678901234", "status": "queued", "users": [], "totals": None}
    shown, rows = run(tmp_path, audit(failed(OWN, "IAM did not answer"), failed(OTHER, ""), queued))
    assert rows == []
    assert "Not in this report: 3 accounts" in shown.words()
    assert f"{OWN} could not be audited: IAM did not answer" in shown.words()
    assert f"{OTHER} could not be audited: no reason was given" in shown.words()
    assert "345678901234 was only queued" in shown.words()
    assert "0 of 3 accounts" in shown.words()
    assert "not in the report: 3 accounts" in capsys.readouterr().out


def test_what_the_function_has_to_say_about_an_account_is_passed_on(tmp_path: Path) -> None:
    partly = audited(OWN, [user("alice")], reason="secrets could not be listed", security_hub="off")
    shown, _ = run(tmp_path, audit(partly, audited(OTHER, []) | {"status": "failed", "reason": "no role"}))
    assert f"{OWN} was audited in part: secrets could not be listed; it has Security Hub off" in shown.words()
    assert "1 of 2 accounts" in shown.words()
    assert [row[0] for row in shown.listed("never-signed-in")] == ["alice"]


def test_a_report_that_cannot_be_made_leaves_the_one_before(tmp_path: Path) -> None:
    _, before = run(tmp_path, audit(audited(OWN, [user("alice")])))
    twice = audit(audited(OWN, [user("bob")]))
    with pytest.raises(SystemExit, match="twice"):
        run(tmp_path, twice, twice)
    with (tmp_path / "out" / "report.csv").open(newline="") as lines:
        assert list(csv.DictReader(lines)) == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.csv", "report.html"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (timedelta(minutes=5), timedelta(minutes=5)),
        # A copy that was made long after, or with the clock of another day.
        (timedelta(days=40), timedelta(0)),
        (timedelta(days=-3), timedelta(0)),
    ],
)
def test_the_date_is_that_of_the_file_unless_ages_belie_it(written: timedelta, shown: timedelta) -> None:
    changed = (NOW - timedelta(days=100)).isoformat()
    users = [user("a", 100, "stale", password_last_changed=changed), user("b", None)]
    found = digest(parse(json.dumps(audit(audited(OWN, users))), "answer"))
    assert command.date_of(found, NOW + written)[0] == NOW + shown


# The CSV -------------------------------------------------------------------------------------------------------------


def test_the_csv_has_all_that_the_answer_has(tmp_path: Path) -> None:
    accounts = [account for account in example_accounts() if account["status"] == "audited"]
    _, rows = run(tmp_path, audit(*accounts))
    found = [{name: table.unguard(value) for name, value in row.items() if value} for row in rows]
    expected = [_flat(account["account_id"], each) for account in accounts for each in account["users"]]
    assert found == expected


def _flat(account_id: str, found: dict[str, Any]) -> dict[str, str]:
    flat = {"account_id": account_id}
    for name, value in found.items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {
            f"{name}_{part}".rstrip("_"): str(item).lower() if isinstance(item, bool) else str(item)
            for part, item in parts
        }
    return dict(sorted(flat.items(), key=lambda pair: table.COLUMNS.index(pair[0])))


@pytest.mark.parametrize("name", [*HOSTILE, "\t=1", "\r=1", "\n=1", "'=1", "'", 'a"b,c', "a\nb", "ä"])
def test_no_cell_of_the_csv_is_a_formula_and_every_one_can_be_read_back(tmp_path: Path, name: str) -> None:
    _, [row] = run(tmp_path, audit(audited(OWN, [user(name)])))
    assert not re.match(r"[=+\-@\t\r\n]", row["user_name"])
    assert table.unguard(row["user_name"]) == name


# The example ---------------------------------------------------------------------------------------------------------


def test_the_example_is_what_the_report_makes_of_its_answers(example: Page) -> None:
    """`make report-example` writes it anew. Where things are drawn to the pixel is the plotting library's."""

    def parts(source: str) -> tuple[str, list[str]]:
        svg = re.search(r"<svg.*</svg>", source, re.DOTALL)
        assert svg
        return source.replace(svg[0], ""), re.findall(r"<text[^>]*>([^<]*)</text>", svg[0])

    committed = (ROOT / "docs" / "report-example.html").read_text()
    assert parts(committed) == parts(example.source)
    assert (ROOT / "docs" / "report-example.png").stat().st_size < 300_000


# The deployed function -----------------------------------------------------------------------------------------------


class Function:
    """A deployed function with these answers, by the account that they are about."""

    def __init__(self, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[dict[str, Any]] = []

        class Account:
            id = OWN

            def __init__(self, settings: deploy.Settings) -> None:
                assert settings.stack == deploy.NAME

            def show(self) -> None:
                pass

            def deployed(self, stack: str) -> dict[str, str]:
                return {"AuditFunctionName": "remediator"}

        def send(account: Account, function: str, event: dict[str, Any]) -> tuple[Any, str | None]:
            assert function == "remediator"
            self.asked.append(event)
            body = answers[event["account_id"]]
            return body, body.get("errorType")

        monkeypatch.setattr(deploy, "Account", Account)
        monkeypatch.setattr(deploy, "send", send)


def asked(*account_ids: str) -> list[dict[str, Any]]:
    return [{"action": "audit", "account_id": account_id, "dry_run": True} for account_id in account_ids]


def report(tmp_path: Path, *arguments: str) -> Page:
    command.main([*arguments, "--out", str(tmp_path)], tmp_path / "samconfig.toml")
    return Page((tmp_path / "report.html").read_text())


def test_the_function_is_asked_about_its_own_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = Function({OWN: audit(audited(OWN, [user("alice", 100, "stale")]))}, monkeypatch)
    before = datetime.now(timezone.utc)
    shown = report(tmp_path)
    assert function.asked == asked(OWN)
    assert shown.number("too-old") == 1
    [moment] = [each.get("datetime", "") for each in shown.root.iter("time")]
    assert before <= datetime.fromisoformat(moment) <= datetime.now(timezone.utc)
    # The answers were kept, and give the same page without the function.
    monkeypatch.setattr(deploy, "send", None)
    again = report(tmp_path, "--from", str(tmp_path / "answers.jsonl"))
    assert again.listed("stale") == shown.listed("stale")


def test_accounts_that_are_named_are_asked_about_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        OWN: audit(audited(OWN, [user("alice")])),
        OTHER: {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 900.00 seconds"},
    }
    function = Function(answers, monkeypatch)
    shown = report(tmp_path, "--accounts", f"{OWN} {OTHER} {OWN}")
    assert function.asked == asked(OWN, OTHER)
    assert shown.number("users") == 1
    assert f"{OTHER} could not be audited: the function failed: Sandbox.Timedout: Task timed out" in shown.words()


def test_all_accounts_are_those_that_the_function_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = audit(
        {"account_id": OWN, "status": "queued"},
        {"account_id": OTHER, "status": "queued"},
        failed("345678901234", "not queued"),
    )
    answers = {
        "*": {"errorType": "RemediationFailed", "errorMessage": json.dumps(named)},
        OWN: audit(audited(OWN, [user("alice")])),
        OTHER: audit(audited(OTHER, [user("bob"), user("carol")])),
    }
    function = Function(answers, monkeypatch)
    shown = report(tmp_path, "--accounts", "*")
    assert function.asked == asked("*", OWN, OTHER)
    assert shown.number("users") == 3
    assert "2 of 3 accounts" in shown.words()
    assert "345678901234 could not be audited: not queued" in shown.words()


@pytest.mark.parametrize(
    ("accounts", "answer", "told"),
    [
        ("12345", None, "12345 is no account"),
        ("", {"errorType": "UnsupportedEvent", "errorMessage": "action"}, "knows no audit: run `make deploy`"),
        ("*", {"errorType": "UnsupportedEvent", "errorMessage": "WORK_QUEUE_URL"}, "WORK_QUEUE_URL"),
        ("*", {"errorType": "Runtime.ExitError", "errorMessage": "exit 1"}, "the function failed: Runtime.ExitError"),
        ("*", audit(), "the answers name no account"),
    ],
)
def test_what_gives_no_report_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accounts: str, answer: Any, told: str
) -> None:
    Function({accounts or OWN: answer}, monkeypatch)
    with pytest.raises(SystemExit) as exit:
        report(tmp_path, "--accounts", accounts)
    assert told in str(exit.value.code)
    assert not list(tmp_path.glob("report.*"))


# In a browser --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tab() -> Iterator[Any]:
    if not browser.find():
        pytest.skip(f"none of {', '.join(browser.NAMES)} is installed")
    with browser.running() as chromium:
        yield chromium.new_page()


def test_in_a_browser_tables_sort_lists_filter_and_nothing_is_requested(tab: Any, tmp_path: Path) -> None:
    arn = f"arn:aws:secretsmanager:us-east-1:{OWN}:secret:x"
    users = [
        user("Bob", 1200, "stale"),
        user("alice", 95, "stale", last_sign_in="2026-11-20T12:00:00Z"),
        user(HOSTILE[0], 300, "stale", secret={"arn": arn, "claimed": False}),
    ]
    accounts = [
        audited(OWN, users),
        audited(OTHER, [user("dave", 100, "stale"), user("erin"), user("fay"), user("gus")]),
    ]
    run(tmp_path, audit(*accounts))
    file = (tmp_path / "out" / "report.html").as_uri()
    requests: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    tab.goto(file)

    def names(section: str) -> list[str]:
        return tab.locator(f"section[aria-labelledby={section}] tbody tr:visible th").all_inner_texts()

    def sort(section: str, column: str) -> str | None:
        button = tab.locator(f"section[aria-labelledby={section}] table[data-sortable]").get_by_role(
            "button", name=column, exact=True
        )
        button.click()
        return button.locator("..").get_attribute("aria-sort")

    assert names("stale") == ["Bob", HOSTILE[0], "dave", "alice"]
    assert sort("stale", "Age (days)") == "descending"
    assert names("stale") == ["Bob", HOSTILE[0], "dave", "alice"]
    assert sort("stale", "Age (days)") == "ascending"
    assert names("stale") == ["alice", "dave", HOSTILE[0], "Bob"]
    assert sort("stale", "User") == "ascending"
    assert names("stale") == [HOSTILE[0], "alice", "Bob", "dave"]
    assert tab.locator("section[aria-labelledby=stale] [aria-sort]").count() == 1
    assert sort("accounts", "Users") == "descending"
    assert names("accounts") == [OTHER, OWN]
    assert sort("accounts", "Stale") == "descending"
    assert names("accounts") == [OWN, OTHER]

    tab.select_option("#account", OTHER)
    assert names("stale") == ["dave"]
    assert tab.locator("#stale span").inner_text() == "1"
    assert not tab.locator("section[aria-labelledby=unclaimed]").is_visible()
    tab.select_option("#account", "")
    assert len(names("stale")) == 4
    assert len(names("unclaimed")) == 1

    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.emulate_media(media="screen", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    tab.set_viewport_size({"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert requests == [file]
    assert complaints == []
