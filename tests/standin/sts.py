"""STS, mended: AssumeRole needs a role, and the session remembers who it is.

moto already puts later calls of the session in the role's account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.sts.responses import TokenResponse

from .wire import ApiError

_ROLE_ARN = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/(?:.*/)?([^/]+)")


@dataclass(frozen=True)
class Session:
    """An assumed role: where its calls land, and the principal AWS would name."""

    account_id: str
    arn: str


# By access key id. Cleared with everything else.
SESSIONS: dict[str, Session] = {}


class StsResponse(TokenResponse):
    """AssumeRole as AWS answers it."""

    def assume_role(self) -> ActionResult:
        arn = self._get_param("RoleArn")
        role = _ROLE_ARN.fullmatch(arn)
        # AWS says AccessDenied for a role that does not exist, as for one that does not trust the caller.
        if not role or role.group(3) not in {r.name for r in iam_backends[role.group(2)][role.group(1)].get_roles()}:
            raise ApiError(403, "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {arn}")
        answer = super().assume_role()
        credentials = answer.result["Credentials"]
        SESSIONS[credentials.access_key_id] = Session(role.group(2), answer.result["AssumedRoleUser"]["Arn"])
        return answer
