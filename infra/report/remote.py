"""Asks the deployed function for audits that change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import deploy
from deploy import Problem

from .answers import FAILED, Account, parse

EVERYWHERE = "*"


def ask(settings: deploy.Settings, account_ids: list[str]) -> Iterator[tuple[str, tuple[Account, ...]]]:
    """Each answer, as it came and as accounts: of the function's own account, of those named, or of all for `*`."""
    account = deploy.Account(settings)
    account.show()
    function = account.deployed(settings.stack)["AuditFunctionName"]
    if EVERYWHERE in account_ids:
        text, named = _ask(account, function, EVERYWHERE)
        # Those that could not even be queued stay as failed.
        yield text, named
        asked = [found.account_id for found in named if found.status == "queued"]
    else:
        asked = account_ids or [account.id]
    for account_id in asked:
        print(f"auditing {account_id}", flush=True)
        yield _ask(account, function, account_id)


def _ask(account: deploy.Account, function: str, account_id: str) -> tuple[str, tuple[Account, ...]]:
    event = {"action": "audit", "account_id": account_id, "dry_run": True}
    body, error = deploy.send(account, function, event)
    if error == "UnsupportedEvent":
        raise Problem(f"the deployed function knows no audit: run `make deploy` ({body.get('errorMessage')})")
    if error not in (None, FAILED):
        if account_id == EVERYWHERE:
            raise Problem(f"the function failed: {error}: {body.get('errorMessage')}")
        # The others are not lost for one that, say, took too long.
        body = _failed(account_id, f"the function failed: {error}: {body.get('errorMessage')}")
    text = json.dumps(body, ensure_ascii=False)
    return text, parse(text, f"the answer about account {account_id}")


def _failed(account_id: str, reason: str) -> dict[str, Any]:
    return {"mode": "dry-run", "accounts": [{"account_id": account_id, "status": "failed", "reason": reason}]}
