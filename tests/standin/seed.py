"""Fills accounts at once: users, policies, topics, queues, tables, secrets, findings, roles.

Works on the backends, not through the API: 5,000 users take a second, dates may lie anywhere, and passwords need not
satisfy today's policy, as old ones do not.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.securityhub.models import securityhub_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.utilities.utils import get_partition

from .dynamodb import create_ledger
from .iam import IamBackend, User, put_password_policy
from .report import COLUMNS
from .securityhub import SecurityHubBackend
from .settings import HOME_ACCOUNT, this_second

_USER_FIELDS = {
    "name",
    "path",
    "password",
    "age_days",
    "password_last_changed",
    "signed_in_days_ago",
    "mfa",
    "reset_required",
    "tags",
    "attached_policies",
    "inline_policies",
    "report_row",
    "report_rows",
}


def seed(spec: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """Adds what `spec` says to one account and region. Answers what got names there. ValueError for a bad spec."""
    fields = dict(spec)
    account_id = fields.pop("account_id", HOME_ACCOUNT)
    region = fields.pop("region", "us-east-1")
    fields.pop("generate_report", None)
    seeder = _Seeder(account_id, region, base_url)
    unknown = set(fields) - set(seeder.steps)
    if unknown:
        raise ValueError(f"a seed has no {', '.join(sorted(unknown))}; it may have {', '.join(seeder.steps)}")
    answer = {"account_id": account_id, "region": region}
    # In the order of `steps`, which is that of dependence, not in that of the request.
    for name, step in seeder.steps.items():
        if name in fields:
            answer.update(step(fields[name]) or {})
    if spec.get("generate_report"):
        seeder.iam.report.generate_now()
    return answer


class _Seeder:
    def __init__(self, account_id: str, region: str, base_url: str):
        self._account_id = account_id
        self._region = region
        self._base_url = base_url
        self.iam: IamBackend = iam_backends[account_id][get_partition(region)]
        self.steps: dict[str, Callable[[Any], dict[str, Any] | None]] = {
            "password_policy": self._password_policy,
            "roles": self._roles,
            "policies": self._policies,
            "users": self._users,
            "report": self._report,
            "queues": self._queues,
            "topics": self._topics,
            "tables": self._tables,
            "secrets": self._secrets,
            "security_hub": self._security_hub,
            "members": self._members,
            "findings": self._findings,
        }

    def _password_policy(self, policy: dict[str, Any] | None) -> None:
        self.iam.account_password_policy = None
        if policy is not None:
            put_password_policy(self.iam, policy)

    def _roles(self, roles: list[dict[str, Any]]) -> dict[str, Any]:
        arns = {}
        for role in roles:
            trust = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
            }
            made = self.iam.create_role(role["name"], json.dumps(trust), "/", None, "", [], None)
            arns[role["name"]] = made.arn
        return {"roles": arns}

    def _policies(self, policies: list[dict[str, Any]]) -> dict[str, Any]:
        made = [
            self.iam.create_policy("", "/", json.dumps(policy["document"]), policy["name"], []) for policy in policies
        ]
        return {"policies": {policy.name: policy.arn for policy in made}}

    def _users(self, users: list[dict[str, Any]]) -> None:
        for spec in users:
            unknown = set(spec) - _USER_FIELDS
            if unknown:
                raise ValueError(f"a user has no {', '.join(sorted(unknown))}")
            self._user(spec)

    def _user(self, spec: Mapping[str, Any]) -> None:
        tags = [{"Key": key, "Value": value} for key, value in (spec.get("tags") or {}).items()]
        user: User = self.iam.create_user(self._region, spec["name"], spec.get("path", "/"), tags)
        changed = (
            _moment(spec["password_last_changed"])
            if "password_last_changed" in spec
            else this_second() - timedelta(days=spec.get("age_days", 0))
        )
        user.create_date = changed - timedelta(days=1)
        password = spec.get("password", f"Seeded-Pass1-{spec['name']}")
        if password is not None:
            user.set_password(password, reset_required=spec.get("reset_required", False))
            user.known_passwords.add(password)
            user.password_last_changed = changed
            user.login_profile_created = user.create_date
        if "signed_in_days_ago" in spec:
            user.password_last_used = this_second() - timedelta(days=spec["signed_in_days_ago"])
        if spec.get("mfa"):
            user.enable_mfa_device(f"arn:{self.iam.partition}:iam::{self._account_id}:mfa/{user.name}", "", "")
        self._give_policies(user, spec)
        user.report_rows = spec.get("report_rows") or ([spec["report_row"]] if "report_row" in spec else [])
        for row in user.report_rows:
            strange = set(row) - set(COLUMNS)
            if strange:
                raise ValueError(f"the credential report has no column {', '.join(sorted(strange))}")

    def _give_policies(self, holder: Any, spec: Mapping[str, Any]) -> None:
        for policy in spec.get("attached_policies") or []:
            arn = policy if policy.startswith("arn:") else f"arn:{self.iam.partition}:iam::aws:policy/{policy}"
            self.iam.get_policy(arn).attach_to(holder)
        for name, document in (spec.get("inline_policies") or {}).items():
            holder.put_policy(name, json.dumps(document))

    def _report(self, shape: Mapping[str, Any]) -> None:
        self.iam.report.root_row = shape.get("root_row", True)
        self.iam.report.extra_columns = shape.get("extra_columns") or {}

    def _queues(self, queues: list[dict[str, Any]]) -> dict[str, Any]:
        made = [sqs_backends[self._account_id][self._region].create_queue(queue["name"], None) for queue in queues]
        return {
            "queues": {
                queue.name: {"arn": queue.queue_arn, "url": f"{self._base_url}/{self._account_id}/{queue.name}"}
                for queue in made
            }
        }

    def _topics(self, topics: list[dict[str, Any]]) -> dict[str, Any]:
        sns = sns_backends[self._account_id][self._region]
        arns = {}
        for topic in topics:
            arns[topic["name"]] = arn = sns.create_topic(topic["name"]).arn
            for wanted in topic.get("subscriptions") or []:
                subscription = sns.subscribe(arn, wanted["endpoint"], wanted["protocol"])
                if wanted.get("filter_policy"):
                    sns.set_subscription_attributes(
                        subscription.arn, "FilterPolicy", json.dumps(wanted["filter_policy"])
                    )
        return {"topics": arns}

    def _tables(self, tables: list[dict[str, Any]]) -> dict[str, Any]:
        backend = dynamodb_backends[self._account_id][self._region]
        return {"tables": {table["name"]: create_ledger(backend, table["name"]).table_arn for table in tables}}

    def _secrets(self, secrets: list[dict[str, Any]]) -> dict[str, Any]:
        backend = secretsmanager_backends[self._account_id][self._region]
        arns = {}
        for spec in secrets:
            tags = [{"Key": key, "Value": value} for key, value in (spec.get("tags") or {}).items()]
            secret = backend.add(spec["name"], None, tags, None)
            for version in spec.get("versions") or []:
                value = version["value"] if isinstance(version["value"], str) else json.dumps(version["value"])
                labels = version.get("labels", ["AWSCURRENT"])
                secret.add_version(version.get("version_id") or str(uuid.uuid4()), {"secret_string": value}, labels)
            created = this_second() - timedelta(days=spec.get("age_days", 0))
            secret.created_date = secret.last_changed_date = created.timestamp()
            if spec.get("deleted"):
                secret.delete((this_second() + timedelta(days=30)).timestamp())
            arns[secret.name] = secret.arn
        return {"secrets": arns}

    def _security_hub(self, is_on: bool) -> None:
        self._hub.enabled = is_on

    def _members(self, statuses: dict[str, str]) -> None:
        self._hub.create_members([{"AccountId": account_id} for account_id in statuses])
        for account_id, status in statuses.items():
            self._hub.members[account_id]["MemberStatus"] = status

    @property
    def _hub(self) -> SecurityHubBackend:
        return securityhub_backends[self._account_id][self._region]

    def _findings(self, findings: list[dict[str, Any]]) -> None:
        # OCSF findings have a class; ASFF ones are moto's to keep.
        self._hub.ocsf_findings += [finding for finding in findings if "class_uid" in finding]
        self._hub.batch_import_findings([finding for finding in findings if "class_uid" not in finding])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
