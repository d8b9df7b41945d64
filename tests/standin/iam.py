"""IAM, mended: moto's backend with AWS's rules for passwords, names, quotas, reports and simulation.

Each override says which rule moto lacks. What is not overridden is moto's.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam import models as moto_iam
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.responses import IamResponse as MotoIamResponse

from . import passwords
from .policies import ALLOWED, EXPLICIT_DENY, Context, Decision, SourcedPolicy, evaluate
from .report import CredentialReport
from .settings import now, this_second
from .tags import is_valid_value
from .wire import ApiError

CHANGE_PASSWORD = "iam:ChangePassword"

_MANAGED_POLICIES_PER_USER = 10
_USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ID_CHARACTERS = string.ascii_uppercase + "234567"
_POLICY_LIMITS = {"MinimumPasswordLength": (6, 128), "MaxPasswordAge": (1, 1095), "PasswordReusePrevention": (1, 24)}
_USER_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:user/(?:.*/)?([^/]+)")


class User(moto_iam.User):
    """moto's user, and what AWS remembers of the console password."""

    def __init__(self, account_id: str, region_name: str, name: str, path: str | None = None):
        super().__init__(account_id, region_name, name, path)
        self.id = "AIDA" + "".join(random.choices(_ID_CHARACTERS, k=17))
        self.create_date = this_second()
        self.login_profile_created = self.create_date
        self.password_last_changed = self.create_date
        self.password_history: list[str] = []
        # Not AWS's: what the person behind the user knows, and rows of the report that a test made up.
        self.known_passwords: set[str] = set()
        self.report_rows: list[dict[str, str]] = []

    def set_password(self, password: str, *, reset_required: bool) -> None:
        """Makes `password` the one that works. The caller has checked it."""
        self.password = password
        self.password_history.append(password)
        self.password_last_changed = this_second()
        self.password_reset_required = reset_required

    def forget_password(self) -> None:
        """What deleting the login profile leaves: nothing to sign in with, and no history."""
        self.password = None
        self.password_history = []
        self.password_reset_required = False


class _Users(dict):
    """AWS: user names are unique within an account and matched without regard to case."""

    def __getitem__(self, name: str) -> User:
        return super().__getitem__(name.lower())

    def __setitem__(self, name: str, user: User) -> None:
        super().__setitem__(name.lower(), user)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: User | None = None) -> User | None:
        return super().get(name.lower(), default)

    def pop(self, name: str, *default: Any) -> Any:
        return super().pop(name.lower(), *default)


class IamBackend(moto_iam.IAMBackend):
    """One account's IAM in one partition."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.users: _Users = _Users()
        self.report = CredentialReport(self)

    def _init_aws_policies(self) -> list[moto_iam.ManagedPolicy]:
        # All 1,500 of them for each account and partition would cost seconds: `get_policy` fetches one when asked.
        return []

    def get_policy(self, policy_arn: str) -> moto_iam.ManagedPolicy:
        """Any managed policy, AWS's own included."""
        if policy_arn not in self.managed_policies:
            path_and_name = policy_arn.removeprefix(f"arn:{self.partition}:iam::aws:policy/")
            published = _aws_managed_policies().get(path_and_name)
            if published is None:
                raise ApiError(404, "NoSuchEntity", f"Policy {policy_arn} does not exist or is not attachable.")
            policy = moto_iam.AWSManagedPolicy.from_data(
                path_and_name.rpartition("/")[2], self.account_id, self.region_name, published
            )
            self.managed_policies[policy_arn] = policy
        return self.managed_policies[policy_arn]

    def get_user(self, name: str) -> User:
        user = self.users.get(name)
        if user is None:
            raise ApiError(404, "NoSuchEntity", f"The user with name {name} cannot be found.")
        return user

    def create_user(
        self, region_name: str, user_name: str, path: str | None = "/", tags: list[dict[str, str]] | None = None
    ) -> User:
        if not _USER_NAME.fullmatch(user_name):
            raise ApiError(400, "ValidationError", "The specified value for userName is invalid")
        if user_name in self.users:
            raise ApiError(409, "EntityAlreadyExists", f"User with name {user_name} already exists.")
        user = User(self.account_id, region_name, user_name, path)
        self.users[user_name] = user
        self.tag_user(user_name, tags or [])
        return user

    def tag_user(self, name: str, tags: list[dict[str, str]]) -> None:
        # moto checks neither keys nor values.
        user = self.get_user(name)
        self._tag_verification(tags)
        for tag in tags:
            if not is_valid_value(tag["Value"]):
                raise ApiError(
                    400, "ValidationError", f"The tag value {tag['Value']!r} has a character it may not have"
                )
        self.tagger.tag_resource(user.arn, tags)

    def attach_user_policy(self, policy_arn: str, user_name: str) -> None:
        # AWS: ten managed policies a user; attaching one again changes nothing.
        user, policy = self.get_user(user_name), self.get_policy(policy_arn)
        if policy.arn in user.managed_policies:
            return
        if len(user.managed_policies) >= _MANAGED_POLICIES_PER_USER:
            raise ApiError(
                409, "LimitExceeded", f"Cannot exceed quota for PoliciesPerUser: {_MANAGED_POLICIES_PER_USER}"
            )
        policy.attach_to(user)

    def page_of_users(
        self, path_prefix: str | None, marker: str | None, max_items: int
    ) -> tuple[list[User], str | None]:
        """One page in the order of names. The marker is the last name seen, so deletions between pages skip nobody."""
        names = sorted(key for key, user in self.users.items() if user.path.startswith(path_prefix or "/"))
        if marker:
            try:
                last = base64.urlsafe_b64decode(marker).decode()
            except ValueError:
                raise ApiError(400, "ValidationError", "Invalid Marker") from None
            names = [name for name in names if name > last]
        page = names[:max_items]
        more = base64.urlsafe_b64encode(page[-1].encode()).decode() if len(names) > max_items else None
        return [self.users[name] for name in page], more

    def user_with_password(self, user_name: str) -> User:
        """AWS: without a login profile its operations answer NoSuchEntity; none of them creates one but Create."""
        user = self.get_user(user_name)
        if not user.password:
            raise ApiError(404, "NoSuchEntity", f"Login Profile for User {user.name} cannot be found.")
        return user

    def check_password(self, password: str, history: list[str]) -> None:
        """Holds `password` against the account's policy; `history` as in `passwords.check`."""
        passwords.check(password, self.account_password_policy, history)

    def policies_of(self, user: User) -> list[SourcedPolicy]:
        """The identity policies that apply to `user`: its own and its groups'."""
        groups = self.get_groups_for_user(user.name)
        sourced = [*_policies_of(user, "user")]
        for group in groups:
            sourced.extend(_policies_of(group, "group"))
        return sourced

    def evaluation_context(self, user: User, entries: dict[str, list[str]]) -> Context:
        """The keys every request of `user` has, and `entries` on top."""
        tags = self.tagger.get_tag_dict_for_resource(user.arn)
        return Context(
            {
                "aws:username": [user.name],
                "aws:userid": [user.id],
                "aws:PrincipalArn": [user.arn],
                "aws:PrincipalAccount": [self.account_id],
                **{f"aws:PrincipalTag/{key}": [value] for key, value in tags.items()},
                **entries,
            }
        )

    def may_change_password(self, user: User, entries: dict[str, list[str]]) -> bool:
        """AWS: by an identity policy, or because the account's policy lets everyone; a deny beats both."""
        verdict = evaluate(
            self.policies_of(user), CHANGE_PASSWORD, user.arn, self.evaluation_context(user, entries)
        ).verdict
        policy = self.account_password_policy
        everyone = bool(policy and policy.allow_users_to_change_password)
        return verdict == ALLOWED or (verdict != EXPLICIT_DENY and everyone)


class IamResponse(MotoIamResponse):
    """The operations whose answers must differ from moto's."""

    def list_users(self) -> ActionResult:
        # moto ignores MaxItems and Marker.
        users, marker = self.backend.page_of_users(
            self._get_param("PathPrefix"), self._get_param("Marker"), self._get_param("MaxItems", 100)
        )
        return ActionResult({"Users": users, "IsTruncated": marker is not None, "Marker": marker})

    def get_account_authorization_details(self) -> ActionResult:
        # moto ignores MaxItems and Marker.
        if self._get_param("Filter") != ["User"]:
            raise ApiError(400, "InvalidInput", "this stand-in gives the details of users only")
        users, marker = self.backend.page_of_users(None, self._get_param("Marker"), self._get_param("MaxItems", 100))
        return ActionResult({"UserDetailList": users, "IsTruncated": marker is not None, "Marker": marker})

    def create_login_profile(self) -> ActionResult:
        user = self.backend.get_user(self._get_param("UserName"))
        if user.password:
            raise ApiError(409, "EntityAlreadyExists", f"Login Profile for user {user.name} already exists.")
        password = self._get_param("Password")
        self.backend.check_password(password, [])
        user.set_password(password, reset_required=bool(self._get_param("PasswordResetRequired")))
        user.login_profile_created = user.password_last_changed
        return ActionResult({"LoginProfile": _login_profile(user)})

    def get_login_profile(self) -> ActionResult:
        user = self.backend.user_with_password(self._get_param("UserName"))
        return ActionResult({"LoginProfile": _login_profile(user)})

    def update_login_profile(self) -> ActionResult:
        user = self.backend.user_with_password(self._get_param("UserName"))
        password, reset_required = self._get_param("Password"), self._get_param("PasswordResetRequired")
        if reset_required is None:
            reset_required = user.password_reset_required
        if password is None:
            user.password_reset_required = reset_required
            return EmptyResult()
        # Unverified on AWS: whether PasswordReusePrevention holds for resets too.
        self.backend.check_password(password, user.password_history)
        user.set_password(password, reset_required=reset_required)
        return EmptyResult()

    def delete_login_profile(self) -> ActionResult:
        self.backend.user_with_password(self._get_param("UserName")).forget_password()
        return EmptyResult()

    def update_account_password_policy(self) -> ActionResult:
        # AWS: no partial updates. What is left out gets its default; 0 is out of range, not "unset".
        put_password_policy(self.backend, self._get_params())
        return EmptyResult()

    def generate_credential_report(self) -> ActionResult:
        state, description = self.backend.report.generate()
        return ActionResult({"State": state, "Description": description})

    def get_credential_report(self) -> ActionResult:
        content, generated = self.backend.report.fetch()
        return ActionResult({"Content": content, "ReportFormat": "text/csv", "GeneratedTime": generated})

    def simulate_principal_policy(self) -> ActionResult:
        # moto has no simulator. AWS: it judges policies alone (the password policy's permission is none), and
        # without ResourceArns it judges the resource "*".
        source = self._get_param("PolicySourceArn")
        principal = _USER_ARN.fullmatch(source)
        if not principal:
            raise ApiError(400, "InvalidInput", f"this stand-in simulates users only, not {source}")
        user = self.backend.get_user(principal.group(1))
        if source != user.arn:
            raise ApiError(404, "NoSuchEntity", f"Policy source {source} does not exist.")
        entries = {
            entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in self._get_param("ContextEntries", [])
        }
        context = self.backend.evaluation_context(user, entries)
        policies = self.backend.policies_of(user) + [
            SourcedPolicy(f"PolicyInputList.{n}", "none", document)
            for n, document in enumerate(self._get_param("PolicyInputList", []), 1)
        ]
        results = [
            _evaluation_result(action, resource, evaluate(policies, action, resource, context))
            for action in self._get_param("ActionNames")
            for resource in self._get_param("ResourceArns", ["*"])
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def put_password_policy(backend: IamBackend, fields: dict[str, Any]) -> None:
    """Replaces the account's password policy by one with AWS's field names. Raises ValidationError."""
    for name, (least, most) in _POLICY_LIMITS.items():
        value = fields.get(name)
        if value is not None and not least <= value <= most:
            raise ApiError(
                400,
                "ValidationError",
                f"1 validation error detected: Value '{value}' at '{name}' failed "
                f"to satisfy constraint: Member must have value between {least} and {most}",
            )
    backend.account_password_policy = moto_iam.AccountPasswordPolicy(
        allow_change_password=fields.get("AllowUsersToChangePassword", False),
        hard_expiry=fields.get("HardExpiry"),
        max_password_age=fields.get("MaxPasswordAge"),
        minimum_password_length=fields.get("MinimumPasswordLength", 6),
        password_reuse_prevention=fields.get("PasswordReusePrevention"),
        require_lowercase_characters=fields.get("RequireLowercaseCharacters", False),
        require_numbers=fields.get("RequireNumbers", False),
        require_symbols=fields.get("RequireSymbols", False),
        require_uppercase_characters=fields.get("RequireUppercaseCharacters", False),
    )


def sign_in(
    backend: IamBackend, user: User, password: str, new_password: str | None, entries: dict[str, list[str]]
) -> dict[str, Any]:
    """The person behind `user` signs in to the console and, when they give a new password, changes it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_user-change-own.html
    """
    may_change = backend.may_change_password(user, entries)
    answer: dict[str, Any] = {
        "works": False,
        "change_required": False,
        "may_change": may_change,
        "changed": False,
        "error": None,
    }
    if not user.password or password != user.password:
        return answer
    policy = backend.account_password_policy
    age = now() - user.password_last_changed
    expired = bool(policy and policy.max_password_age and age.days >= policy.max_password_age)
    if expired and policy.hard_expiry:
        # AWS: with hard expiry an administrator must reset the password; the user cannot.
        return {**answer, "error": "PasswordExpired"}
    user.password_last_used = this_second()
    answer.update(works=True, change_required=user.password_reset_required or expired)
    if new_password is not None:
        try:
            if not may_change:
                raise ApiError(403, "AccessDenied", f"{user.arn} may not perform {CHANGE_PASSWORD}")
            if new_password == user.password:
                # AWS: whatever the policy remembers (tried).
                raise ApiError(400, "PasswordPolicyViolation", "The new password is the present one")
            backend.check_password(new_password, user.password_history)
        except ApiError as error:
            return {**answer, "error": error.code}
        user.set_password(new_password, reset_required=False)
        user.known_passwords.add(new_password)
        answer["changed"] = True
    return answer


def install() -> None:
    """Makes moto build mended backends. Before any account exists."""
    moto_iam.iam_backends.backend = IamBackend


@lru_cache(maxsize=1)
def _aws_managed_policies() -> dict[str, dict[str, Any]]:
    """AWS's policies as moto ships them, by path and name."""
    published = json.loads(aws_managed_policies_data)
    return {f"{policy['Path']}{name}".lstrip("/"): policy for name, policy in published.items()}


def _login_profile(user: User) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "CreateDate": user.login_profile_created,
        "PasswordResetRequired": user.password_reset_required,
    }


def _policies_of(holder: User | moto_iam.Group, kind: str) -> Iterable[SourcedPolicy]:
    for name, document in holder.policies.items():
        yield SourcedPolicy(name, kind, document)
    for policy in holder.managed_policies.values():
        source = "aws-managed" if isinstance(policy, moto_iam.AWSManagedPolicy) else "user-managed"
        version = next(v for v in policy.versions if v.version_id == policy.default_version_id)
        yield SourcedPolicy(policy.name, source, version.document)


def _evaluation_result(action: str, resource: str, decision: Decision) -> dict[str, Any]:
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision.verdict,
        "MatchedStatements": [
            {"SourcePolicyId": policy.policy_id, "SourcePolicyType": policy.source_type} for policy in decision.matched
        ],
        "MissingContextValues": decision.missing_keys,
    }
