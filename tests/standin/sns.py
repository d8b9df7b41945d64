"""SNS, mended: Publish is validated as AWS validates it, and every message is recorded.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from moto.core.responses import ActionResult
from moto.sns.models import Subscription
from moto.sns.responses import SNSResponse

from .journal import JOURNAL
from .wire import ApiError

_MAX_MESSAGE_BYTES = 256 * 1024
_LONGEST_SUBJECT = 100


class SnsResponse(SNSResponse):
    """Publish to topics. Everything else is moto's."""

    def publish(self) -> ActionResult:
        message = self._get_param("Message")
        subject = self._get_param("Subject")
        bodies = _bodies(message, self._get_param("MessageStructure"))
        _check_subject(subject)
        attributes = self._parse_message_attributes()
        answer = super().publish()
        arn = self._get_param("TopicArn") or self._get_param("TargetArn")
        JOURNAL.record_message(
            {
                "account_id": self.current_account,
                "topic_arn": arn,
                "subject": subject,
                "attributes": {name: attribute["Value"] for name, attribute in attributes.items()},
                "bodies": bodies,
                "deliveries": [
                    {"protocol": s.protocol, "endpoint": s.endpoint, "body": bodies.get(s.protocol, bodies["default"])}
                    for s in self.backend.subscriptions.values()
                    if s.topic.arn == arn and _wants(s, attributes, message)
                ],
            }
        )
        return answer


def _bodies(message: str | None, structure: str | None) -> dict[str, str]:
    """What is sent by each protocol; `default` to those not named."""
    if not message:
        raise _invalid("Empty message")
    if len(message.encode()) > _MAX_MESSAGE_BYTES:
        raise _invalid("Message too long")
    if structure is None:
        return {"default": message}
    if structure != "json":
        raise _invalid("MessageStructure")
    try:
        parsed = json.loads(message)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise _invalid("Message Structure - JSON message body failed to parse")
    # AWS: a value that is no string makes its key be ignored; `default` must remain.
    bodies = {protocol: body for protocol, body in parsed.items() if isinstance(body, str)}
    if "default" not in bodies:
        raise _invalid("Message Structure - No default entry in JSON message body")
    return bodies


def _check_subject(subject: str | None) -> None:
    # AWS: up to 100 UTF-16 units (tried), no line breaks or other control characters, not empty.
    if subject is None:
        return
    control = any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in subject)
    if not subject or control or len(subject.encode("utf-16-le")) // 2 > _LONGEST_SUBJECT:
        raise _invalid("Subject")


def _wants(subscription: Subscription, attributes: dict[str, Any], message: str) -> bool:
    matcher = subscription._filter_policy_matcher
    return matcher is None or matcher.matches(attributes, message)


def _invalid(what: str) -> ApiError:
    return ApiError(400, "InvalidParameter", f"Invalid parameter: {what}")
