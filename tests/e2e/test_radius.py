"""More stale users than may be reset without a person: nobody is, whatever asks, until the command is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from world import World, users_by_status

CROWD = {f"user-{number:02}": 100 for number in range(24)}


def about(event: dict[str, Any], name: str) -> dict[str, Any]:
    """The event, with a finding about another user."""
    text = json.dumps(event)
    event = json.loads(text.replace("user/alice", f"user/{name}").replace("user/carol", f"user/{name}"))
    (finding,) = event["detail"]["findings"]
    if "Id" in finding:
        finding["Id"] += f"-of-{name}"
    else:
        finding["finding_info"]["uid"] += f"-of-{name}"
    return event


def sent_again(event: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """What Security Hub sends when the event's finding was updated."""
    (finding,) = event["detail"]["findings"]
    return {**event, "detail": {"findings": [{**finding, **changes}]}}


@pytest.mark.parametrize("sample", ["password-age-imported", "password-age-v2"])
def test_a_crowd_is_held_told_once_and_reset_by_the_command_that_is_told(
    world: Callable[..., World], sample: str
) -> None:
    tagged = {"name": "exempt", "age_days": 900, "tags": {"Password-Remediation": "exempt"}}
    stale = {**CROWD, "alice": 120, "bob": 130}
    it = world(users=[tagged, *({"name": name, "age_days": days} for name, days in stale.items())])
    for name in ("alice", "bob"):
        event = about(it.event(sample), name)
        for _ in range(3):
            assert users_by_status(it.answer(event)) == {name: "held"}
            changes = it.finding_updates()[-1]["changes"]
            event = sent_again(event, changes)
    assert len(it.finding_updates()) == 2, "one note a finding"
    assert not {"UpdateLoginProfile", "CreateSecret"} & set(it.operations())
    assert users_by_status(it.answer(about(it.event(sample), "exempt"))) == {"exempt": "skipped exempt"}

    (message,) = it.messages()
    told = json.loads(message["bodies"]["default"])
    assert (told["kind"], told["user_count"], told["max_resets"]) == ("sweep-held", 26, 25)
    assert {user["user_name"] for user in told["users"]} == set(stale)
    for update in it.finding_updates():
        note = update["changes"].get("comment") or update["changes"]["Note"]["Text"]
        assert note.startswith("Held until a person approves it: 26 users")
        assert json.loads(note[note.index("{") : note.rindex("}") + 1]) == told["approval"]
        assert not {"Workflow", "status_id"} & set(update["changes"]), "it stays new"

    it.answer(told["approval"])
    now = it.look()
    for name in stale:
        now.assert_reset(name)
    it.assert_untouched("exempt")
