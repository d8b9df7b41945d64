"""The way of an AWS call through the stand-in: identify, log, delay, tamper, answer, check the promise.

moto is not safe for threads, so one call at a time is answered; time that a fault or a setting costs is spent
outside the lock, so that callers overlap as they do on AWS.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from email.message import Message

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.responses import SQSResponse

from . import dynamodb, iam, secretsmanager, securityhub
from .dynamodb import DynamoDbResponse
from .faults import FAULTS
from .iam import IamResponse
from .invariant import find_user, owners_touched, violations
from .journal import JOURNAL
from .secretsmanager import SecretsManagerResponse
from .securityhub import SecurityHubResponse
from .settings import HOME_ACCOUNT, SETTINGS
from .sns import SnsResponse
from .sts import SESSIONS, StsResponse
from .wire import QUERY, ApiError, Call, Reply, content_type, error_code, error_reply, protocol_of, read_call

LOCK = threading.RLock()

SERVICES: dict[str, type[BaseResponse]] = {
    "dynamodb": DynamoDbResponse,
    "iam": IamResponse,
    "secretsmanager": SecretsManagerResponse,
    "securityhub": SecurityHubResponse,
    "sns": SnsResponse,
    "sqs": SQSResponse,
    "sts": StsResponse,
}

_READ_ONLY = re.compile(r"Get|List|Describe|Simulate|Generate")

dynamodb.install()
iam.install()
secretsmanager.install()
securityhub.install()


@dataclass
class HttpRequest:
    """What the server read."""

    method: str
    url: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return self.url.partition("?")[0]


def reset() -> None:
    """An empty world, as after the start."""
    with LOCK:
        BackendDict.reset()
        reset_model_data()
        SESSIONS.clear()
        JOURNAL.clear()
        FAULTS.replace([])
        SETTINGS.reset()


def handle(request: HttpRequest, base_url: str) -> Reply | None:
    """Answers a call to AWS; `None` means that the connection is to be closed without an answer."""
    try:
        call = read_call(request.method, request.path, request.headers, request.body)
    except ApiError as error:
        return error_reply(protocol_of(request.headers), "", error)

    with LOCK:
        _identify(call)
        entry = JOURNAL.open_call(call.facts())
        effect = FAULTS.strike(call)
        entry["fault"] = effect.name or None
    time.sleep((SETTINGS.latency_ms + effect.latency_ms) / 1000)

    reply: Reply | None = None
    if not effect.strikes or effect.after:
        with LOCK:
            reply = _process(call, entry["n"], request, base_url)
            entry["state"] = "processed"
            entry["status"], entry["code"] = reply.status, error_code(reply)
    if effect.kill:
        with contextlib.suppress(ProcessLookupError):
            os.kill(effect.kill, signal.SIGKILL)
    if effect.error:
        reply = error_reply(call.protocol, call.service, effect.error)
    elif effect.strikes:
        reply = effect.reply
    with LOCK:
        entry.update(
            state="finished",
            finished_ms=JOURNAL.elapsed_ms(),
            status=reply.status if reply else None,
            code=error_code(reply) if reply else "NoAnswer",
        )
    return reply


def _identify(call: Call) -> None:
    """Whose call it is (account and principal), and which user it is about."""
    session = SESSIONS.get(call.access_key)
    if session:
        call.account_id, call.principal = session.account_id, session.arn
    else:
        # Twelve digits are an account's own credentials, and may say whose they are; any others are the home account's.
        own = re.fullmatch(r"(\d{12})(?:-(\w+))?", call.access_key)
        call.account_id, call.principal = own.groups() if own else (HOME_ACCOUNT, None)
    call.user = _subject(call)


def _subject(call: Call) -> str | None:
    params = call.params
    if "UserName" in params:
        return params["UserName"]
    if "PolicySourceArn" in params:
        return params["PolicySourceArn"].rpartition("/")[2]
    if call.service == "secretsmanager":
        return _secret_subject(call)
    if call.service == "dynamodb":
        return _ledger_subject(call)
    names = [key for key, value in params.items() if key.endswith(".Name") and value == "user_name"]
    return params.get(names[0].removesuffix("Name") + "Value.StringValue") if names else None


def _secret_subject(call: Call) -> str | None:
    for tag in call.params.get("Tags") or []:
        if tag.get("Key") == "iam-user":
            return tag.get("Value")
    try:
        secret = secretsmanager_backends[call.account_id][call.region].find(call.params.get("SecretId", ""))
    except (ApiError, KeyError):
        return None
    return secret.tag("iam-user")


def _ledger_subject(call: Call) -> str | None:
    owner = dynamodb.owner(call)
    try:
        # As IAM spells it: in ids all names are in lower case.
        return find_user(*owner)[1].name if owner else None
    except LookupError:
        return owner[1]


def _process(call: Call, number: int, request: HttpRequest, base_url: str) -> Reply:
    # Only these calls can break the promise, and only to whom they touch: so every call can be watched.
    watched = SETTINGS.watch and call.service in ("iam", "secretsmanager") and not _READ_ONLY.match(call.operation)
    owners = owners_touched(call) if watched else set()
    JOURNAL.current_call = number
    try:
        reply = _dispatch(call, request, base_url)
    finally:
        JOURNAL.current_call = None
    if watched:
        JOURNAL.violations += [{"call": number, **found} for found in violations(owners | owners_touched(call))]
    return reply


def _dispatch(call: Call, request: HttpRequest, base_url: str) -> Reply:
    try:
        if call.service not in SERVICES:
            raise NotImplementedError(f"the service {call.service}")
        # moto would search all accounts for the access key, and make up those it does not find.
        headers = {**dict(request.headers.items()), "x-moto-account-id": call.account_id}
        moto_request = Request.from_primitives(request.method, base_url + request.url, headers, request.body)
        status, answer_headers, body = SERVICES[call.service].dispatch(
            moto_request, moto_request.raw_url, dict(moto_request.headers)
        )
    except ApiError as error:
        return error_reply(call.protocol, call.service, error)
    except NotImplementedError as error:
        return error_reply(
            call.protocol, call.service, ApiError(501, "NotImplemented", f"not in this stand-in: {error}")
        )
    except Exception as error:
        # A defect of the stand-in, not of the caller: loud here, an error of the service there.
        traceback.print_exc(file=sys.stderr)
        return error_reply(call.protocol, call.service, ApiError(500, "InternalFailure", repr(error)))
    encoded: bytes = body.encode() if isinstance(body, str) else body
    sent = {"Content-Type": content_type(call.service)} if call.protocol != QUERY else {}
    sent.update((key.title(), str(value)) for key, value in answer_headers.items() if key != "status")
    return Reply(status, encoded, sent)
