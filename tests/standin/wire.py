"""AWS's wire protocols, as far as the stand-in must read and write them itself.

moto parses and answers the calls. Here is only what happens around that: telling which call a request is, so that
it can be logged and tampered with, and answering errors that moto knows nothing of.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

QUERY, JSON, REST_JSON = "query", "json", "rest-json"

_XML_NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sns": "http://sns.amazonaws.com/doc/2010-03-31/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_JSON_TYPES = {
    "dynamodb": "application/x-amz-json-1.0",
    "secretsmanager": "application/x-amz-json-1.1",
    "sqs": "application/x-amz-json-1.0",
}
_REST_OPERATIONS = {
    ("GET", "/members"): "ListMembers",
    ("PATCH", "/findings/batchupdate"): "BatchUpdateFindings",
    ("PATCH", "/findingsv2/batchupdatev2"): "BatchUpdateFindingsV2",
    ("POST", "/findings"): "GetFindings",
    ("POST", "/findings/import"): "BatchImportFindings",
}
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_SENSITIVE = {"Password", "NewPassword", "OldPassword", "SecretString", "SecretBinary"}
_ERROR_CODE_IN_XML = re.compile(rb"<Code>([^<]*)</Code>")


class ApiError(Exception):
    """An error answer, whatever the protocol: raised anywhere below the gateway, rendered by it."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, value: Any, status: int = 200) -> Reply:
        """A JSON document; dates and the like become strings."""
        return cls(status, json.dumps(value, default=str).encode(), {"Content-Type": "application/json"})


@dataclass
class Call:
    """One request to AWS. `account_id`, `principal` and `user` are filled in by the gateway, which knows the state."""

    service: str
    operation: str
    protocol: str
    region: str
    access_key: str
    user_agent: str
    params: dict[str, Any]
    account_id: str = ""
    principal: str | None = None
    user: str | None = None

    def facts(self) -> dict[str, Any]:
        """For the log: everything but what must not be written down."""
        return {
            "service": self.service,
            "operation": self.operation,
            "account_id": self.account_id,
            "region": self.region,
            "principal": self.principal,
            "access_key": self.access_key,
            "user_agent": self.user_agent,
            "user": self.user,
            "params": _redacted(self.params),
        }


def protocol_of(headers: Message) -> str:
    """Told by what each protocol sends along, so that even a request that is no call gets a readable answer."""
    if headers.get("X-Amz-Target"):
        return JSON
    form = (headers.get("Content-Type") or "").startswith("application/x-www-form-urlencoded")
    return QUERY if form else REST_JSON


def read_call(method: str, path: str, headers: Message, body: bytes) -> Call:
    """Which call this is. Raises ApiError when it is none that AWS would take."""
    credential = _CREDENTIAL.search(headers.get("Authorization") or "")
    if not credential:
        raise ApiError(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    access_key, region, service = credential.groups()

    protocol = protocol_of(headers)
    if protocol == JSON:
        operation, params = headers["X-Amz-Target"].rpartition(".")[2], _json_object(body)
    elif protocol == QUERY:
        params = dict(parse_qsl(body.decode(), keep_blank_values=True))
        operation = params.pop("Action", "")
        params.pop("Version", None)
    else:
        operation, params = _REST_OPERATIONS.get((method, path), ""), _json_object(body)
    if not operation:
        raise ApiError(404, "UnknownOperationException", f"{method} {path} is no operation this stand-in serves")
    return Call(service, operation, protocol, region, access_key, headers.get("User-Agent") or "", params)


def error_reply(protocol: str, service: str, error: ApiError) -> Reply:
    """`error` in the words of the protocol."""
    request_id = str(uuid.uuid4())
    if protocol == QUERY:
        fault = "Sender" if error.status < 500 else "Receiver"
        body = (
            f'<ErrorResponse xmlns="{_XML_NAMESPACES.get(service, "")}"><Error><Type>{fault}</Type>'
            f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Reply(error.status, body.encode(), {"Content-Type": "text/xml", "x-amzn-RequestId": request_id})
    body = json.dumps({"__type": error.code, "message": error.message})
    return Reply(
        error.status,
        body.encode(),
        {"Content-Type": content_type(service), "x-amzn-ErrorType": error.code, "x-amzn-RequestId": request_id},
    )


def content_type(service: str) -> str:
    """Of the answers of a service that speaks JSON."""
    return _JSON_TYPES.get(service, "application/json")


def error_code(reply: Reply) -> str | None:
    """The AWS error code of an answer, `None` when it is a success or no AWS answer at all."""
    if reply.status < 400:
        return None
    for name, value in reply.headers.items():
        if name.lower() == "x-amzn-errortype":
            return value.partition(":")[0]
    in_xml = _ERROR_CODE_IN_XML.search(reply.body)
    if in_xml:
        return in_xml.group(1).decode()
    try:
        return str(json.loads(reply.body)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        return None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ApiError(400, "SerializationException", "the body is no JSON object")
    return parsed


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "REDACTED" if key in _SENSITIVE else _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return value
