"""infra/RUNBOOK.md against what it is about: it is read when there is no time to find out that it is out of date."""

from __future__ import annotations

import json
import re
import subprocess

import jmespath
import pytest

from .cfn import ROOT, TEMPLATE, load

RUNBOOK = (ROOT / "infra" / "RUNBOOK.md").read_text()


def sections(level: int, text: str) -> dict[str, str]:
    """The headings of a level, and what stands below each."""
    marks = "#" * level
    found = re.split(rf"^{marks} (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def blocks() -> list[str]:
    """What is to be pasted into a shell."""
    found = re.findall(r"(?ms)^( *)```sh\n(.*?)^ *```$", RUNBOOK)
    assert len(found) > 10, "or the tests show little"
    return [body for _, body in found]


def code() -> str:
    """Everything that is written as code."""
    return "\n".join([*blocks(), *re.findall(r"`([^`\n]+)`", RUNBOOK)])


def test_every_alarm_has_a_section_and_every_section_an_alarm() -> None:
    resources = load(TEMPLATE)["Resources"]
    alarms = {name for name, it in resources.items() if it["Type"] == "AWS::CloudWatch::Alarm"}
    assert sections(3, sections(2, RUNBOOK)["Alarms"]).keys() == alarms
    assert set(re.findall(r"\b[A-Z]\w+Alarm\b", RUNBOOK)) == alarms


def test_every_alarm_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    for name, text in sections(3, sections(2, RUNBOOK)["Alarms"]).items():
        assert re.findall(r"^\*\*(.+?):\*\*", text, re.MULTILINE) == ["Means", "Look at", "Do"], name


def test_every_target_and_output_and_parameter_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code()))
    assert {"stop", "start", "redrive"} <= named
    assert named <= targets
    template = load(TEMPLATE)
    outputs = set(re.findall(r"\bout ([A-Z]\w+)", code()))
    assert len(outputs) > 3
    assert outputs <= template["Outputs"].keys()
    parameters = {"MaxResetsPerSweep", "MaxPasswordAgeDays", "ReservedConcurrency", "Accounts", "LedgerKmsKeyArn"}
    assert parameters <= template["Parameters"].keys()


def test_reasons_are_worded_as_the_program_words_them() -> None:
    program = "".join(path.read_text() for path in (ROOT / "src").rglob("*.rs"))
    rows = re.findall(r"^\| (.*?) \|", sections(2, RUNBOOK)["What failed, and what to do"], re.MULTILINE)
    reasons = [reason for row in rows for reason in re.findall(r"`([^`]+ [^`]+)`", row)]
    assert len(reasons) > 3
    for reason in reasons:
        for part in reason.split("…"):
            assert part.strip() in program, reason


def test_every_link_leads_somewhere() -> None:
    def anchors(text: str) -> set[str]:
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    links = re.findall(r"\]\(([\w.]*)#([\w-]+)\)", RUNBOOK)
    assert links
    for file, anchor in links:
        text = (ROOT / "infra" / file).read_text() if file else RUNBOOK
        assert anchor in anchors(text), f"{file}#{anchor}"


@pytest.mark.parametrize("block", blocks())
def test_what_is_to_be_pasted_is_a_shell_script(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_queries_and_events_can_be_read() -> None:
    queries = re.findall(r"--query (?:'([^']+)'|\"([^\"]+)\"|([\w.\[\]]+))", code().replace("'$1'", "'X'"))
    assert len(queries) > 8
    for query in queries:
        jmespath.compile("".join(query))
    events = [json.loads(event) for event in re.findall(r'\{"action":[^}]*\}', RUNBOOK)]
    assert {event["action"] for event in events} == {"audit", "reset", "sweep"}
    assert set().union(*events) <= {"action", "account_id", "user_name", "force", "max_resets", "dry_run"}


def test_the_query_for_the_log_prints_a_line_an_entry() -> None:
    [expression] = re.findall(r'--query "(results[^"]+)"', RUNBOOK)
    entry = [
        {"field": "@timestamp", "value": "10:00"},
        {"field": "reason", "value": "x"},
        {"field": "@ptr", "value": "p"},
    ]
    assert jmespath.search(expression, {"results": [entry, entry[:1]]}) == ["10:00  x", "10:00"]


def test_the_policy_that_stops_a_run_denies_every_change_to_users_and_policies() -> None:
    [document] = re.findall(r"--policy-document '(.*?)'", RUNBOOK, re.DOTALL)
    [statement] = json.loads(document)["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", "*")
    # What the template lets the function change in IAM, and its way into other accounts.
    allowed = set(re.findall(r"\b(?:iam:(?:Update|Attach)\w+|sts:AssumeRole)\b", TEMPLATE.read_text()))
    assert set(statement["Action"]) == allowed
