"""No password gets anywhere but into the secret and IAM, with everything logged that the real binary can log."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from itertools import chain
from urllib.parse import quote

import pytest
from campaign import Point, assert_nobody_was_locked_out, check_all, deliver_to_all, kill_at, points
from leaks import passwords_in
from standin.client import Standin
from standin.runtime import Invocation
from world import World

TRACE = {"RUST_LOG": "trace"}
REFUSED = {"error": {"status": 400, "code": "ValidationError", "message": "1 validation error detected"}}
# For good: the SDK gives up after eight tries, and what it says of them reaches log and answer.
FOR_GOOD = {"an error": REFUSED, "a page of HTML": "html", "no answer": "drop_after", "no connection": "drop_before"}


def seen_by_others(aws: Standin, worlds: list[World], invocations: list[Invocation]) -> str:
    """All that anyone but the user, IAM and Secrets Manager gets to see."""
    return "\n".join(
        [
            *(world.function.log() for world in worlds),
            *(json.dumps([invocation.result, invocation.error]) for invocation in invocations),
            json.dumps([aws.messages(), aws.finding_updates(), aws.ledger(), aws.calls()]),
        ]
    )


def test_the_search_finds_a_password_in_every_form() -> None:
    password = "aB3$+/{x}'&k9QwZ#7mT_p2R"
    for written in (
        password,
        f"...{password[5:16]}...",
        quote(password, safe=""),
        f"Action=UpdateLoginProfile&Password={quote(password)}",
        json.dumps({"document": json.dumps({"password": password})}),
        str(list(password.encode())),
        password.encode().hex(),
        base64.b64encode(password.encode()).decode(),
    ):
        assert passwords_in(written, [password]), written
    assert not passwords_in("nothing to see here, aB3 or so", [password])


def test_no_password_is_seen_whichever_call_fails_for_good_and_however(
    aws: Standin, world: Callable[..., World]
) -> None:
    operations = [point for point in points(world(variables=TRACE)) if point.nth == 1]
    worlds = {point: [world(variables=TRACE) for _ in FOR_GOOD] for point in operations}
    aws.faults(
        *(
            {"match": {"account_id": it.account_id, "operation": point.operation}, "effect": effect}
            for point, its in worlds.items()
            for it, effect in zip(its, FOR_GOOD.values(), strict=True)
        )
    )
    all_worlds = list(chain.from_iterable(worlds.values()))
    failed = deliver_to_all(all_worlds)
    assert_nobody_was_locked_out(aws)
    aws.faults()
    # Where the ledger failed, no lease could be given back.
    aws.expire_leases()
    finished = deliver_to_all(all_worlds)

    seen = seen_by_others(aws, all_worlds, [*failed, *finished])
    passwords = aws.passwords()
    count = len(passwords)
    assert count > len(all_worlds), "each world has a new one"
    assert passwords_in(seen, passwords) == []

    # The search had something to search in.
    assert '"level":"DEBUG"' in seen and "next step of the reset" in seen, "nothing was logged below INFO"
    assert "REDACTED" in seen
    for point in operations:
        if point.operation != "ListUserTags":
            assert f":{point.operation} failed: " in seen, f"nobody heard of {point}"

    def check(point: Point, it: World) -> None:
        # Whether a message went out is not known without an answer; eight tries, and the one that counts.
        it.assert_reset(announced=9 if point.operation == "Publish" else 2, passwords=2)
        it.assert_can_sign_in()

    for number in range(len(FOR_GOOD)):
        check_all({point: its[number] for point, its in worlds.items()}, check)
    assert_nobody_was_locked_out(aws)


@pytest.mark.parametrize("operation", ["UpdateLoginProfile", "GetSecretValue", "PutSecretValue"])
def test_no_password_is_seen_when_aws_repeats_it_in_an_error(
    aws: Standin, world: Callable[..., World], operation: str
) -> None:
    it = world(variables=TRACE)
    kill_at(aws, {Point("PutSecretValue"): it}, "after")
    pending = it.secret()["versions"][-1]["value"]["password"]
    message = f"Value '{pending}' at 'password' failed to satisfy constraint {quote(pending)}"
    error = {"status": 400, "code": "ValidationError", "message": message}
    aws.faults({"match": {"operation": operation}, "effect": {"error": error}})
    if operation == "PutSecretValue":
        # Another password is made, and stored, only when IAM has refused the pending one.
        aws.seed(account_id=it.account_id, password_policy={"MinimumPasswordLength": 40})
    aws.expire_leases()
    it.function.restart()
    invocation = it.deliver(it.asks())
    assert f":{operation} failed: ValidationError" in invocation.error["errorMessage"]
    assert passwords_in(seen_by_others(aws, [it], [invocation]), aws.passwords()) == []


def test_no_password_is_seen_when_the_function_says_what_it_cannot_read(
    aws: Standin, world: Callable[..., World]
) -> None:
    it = world(variables=TRACE)
    sent = "hunter2-hunter2-hunter2"
    invocation = it.deliver({"action": "reset", "user_name": "alice", "password": sent})
    assert invocation.error["errorType"] == "UnsupportedEvent"
    assert passwords_in(it.function.log() + json.dumps(invocation.error), [sent]) == []
