"""The stand-in against AWS's documentation: each mend, over the wire, with AWS's own client."""

from __future__ import annotations

import csv
import http.client
import io
import json
import signal
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from botocore import UNSIGNED
from botocore.exceptions import ClientError, ConnectionClosedError

from standin.client import ControlError, Standin
from standin.report import COLUMNS

HOME = "123456789012"
GOOD = "Correct-Horse-7"
CHANGE_PASSWORD_POLICY = "arn:aws:iam::aws:policy/IAMUserChangePassword"
TOKEN_A, TOKEN_B, TOKEN_C = (letter * 32 for letter in "abc")
DENY_WITHOUT_MFA = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Deny",
        "NotAction": "iam:EnableMFADevice",
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    },
}

standin: Standin


def setUpModule() -> None:
    global standin
    standin = Standin.start()


def tearDownModule() -> None:
    standin.stop()


class StandinTest(unittest.TestCase):
    """An empty world for each test, and clients made once."""

    _clients: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        standin.reset()

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = standin.boto3(service)
        return self._clients[service]

    @property
    def iam(self) -> Any:
        return self.client("iam")

    @property
    def secrets(self) -> Any:
        return self.client("secretsmanager")

    def assert_refused(self, status: int, code: str, call: Any, *args: Any, **kwargs: Any) -> str:
        with self.assertRaises(ClientError) as caught:
            call(*args, **kwargs)
        answer = caught.exception.response
        self.assertEqual(
            (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]), (status, code), answer["Error"]
        )
        return answer["Error"]["Message"]


class ConsolePasswords(StandinTest):
    def reset(self, password: str, **more: Any) -> None:
        self.iam.update_login_profile(UserName="alice", Password=password, **more)

    def assert_violation(self, password: str) -> None:
        self.assert_refused(400, "PasswordPolicyViolation", self.reset, password)

    def test_without_a_policy_awss_default_policy_holds(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        self.assert_violation("Short-7")
        self.assert_violation("lowercase-only")
        self.reset("three-classes-7")
        self.reset("ThreeClasses7")

    def test_the_accounts_policy_replaces_the_default(self) -> None:
        standin.seed(users=[{"name": "alice"}], password_policy={"MinimumPasswordLength": 6})
        self.assert_violation("short")
        self.reset("sixsix")

    def test_each_class_is_demanded_where_the_policy_demands_it(self) -> None:
        for field, without, having in (
            ("RequireUppercaseCharacters", "lower-7777", "Upper-7777"),
            ("RequireLowercaseCharacters", "UPPER-7777", "lOWER-7777"),
            ("RequireNumbers", "Letters-only", "Letters-7"),
            ("RequireSymbols", "Letters77", "Letters77|"),
        ):
            with self.subTest(field):
                standin.reset()
                standin.seed(users=[{"name": "alice"}], password_policy={field: True})
                self.assert_violation(without)
                self.reset(having)

    def test_only_the_twenty_symbols_count(self) -> None:
        standin.seed(users=[{"name": "alice"}], password_policy={"RequireSymbols": True})
        for no_symbol in '~`:;"<>,.?/\\ é':
            self.assert_violation(f"Letters77{no_symbol}")
        for symbol in "!@#$%^&*()_+-=[]{}|'":
            self.reset(f"Letters77{symbol}")

    def test_lengths_and_characters_outside_the_api_are_invalid(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        self.reset("Aa1-" + "x" * 124)
        # The client would refuse to send these.
        iam = standin.boto3("iam", parameter_validation=False)
        for password in ("Aa1-" + "x" * 125, GOOD + "Ω", ""):
            self.assert_refused(400, "ValidationError", iam.update_login_profile, UserName="alice", Password=password)

    def test_the_current_and_the_last_passwords_are_refused(self) -> None:
        standin.seed(
            users=[{"name": "alice", "password": "Oldest-Pass-0"}], password_policy={"PasswordReusePrevention": 1}
        )
        for later in ("Older-Pass-1", "Old-Pass-2"):
            self.reset(later)
        self.assert_violation("Old-Pass-2")
        self.assert_violation("Older-Pass-1")
        self.reset("Oldest-Pass-0")

    def test_without_a_login_profile_nothing_is_created(self) -> None:
        standin.seed(users=[{"name": "alice", "password": None}])
        for call, more in (
            (self.iam.update_login_profile, {"Password": GOOD}),
            (self.iam.get_login_profile, {}),
            (self.iam.delete_login_profile, {}),
        ):
            self.assert_refused(404, "NoSuchEntity", call, UserName="alice", **more)
        self.assertIsNone(standin.user("alice")["password"])

    def test_reset_required_is_kept_as_given(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        for given in (True, False):
            self.reset(GOOD, PasswordResetRequired=given)
            profile = self.iam.get_login_profile(UserName="alice")["LoginProfile"]
            self.assertIs(profile["PasswordResetRequired"], given)
        self.iam.update_login_profile(UserName="alice", PasswordResetRequired=True)
        self.reset(GOOD)
        self.assertTrue(standin.user("alice")["reset_required"])

    def test_creating_a_login_profile_checks_and_reports(self) -> None:
        standin.seed(users=[{"name": "alice", "password": None}])
        self.assert_refused(
            400, "PasswordPolicyViolation", self.iam.create_login_profile, UserName="alice", Password="x"
        )
        made = self.iam.create_login_profile(UserName="alice", Password=GOOD, PasswordResetRequired=True)
        self.assertTrue(made["LoginProfile"]["PasswordResetRequired"])
        self.assert_refused(409, "EntityAlreadyExists", self.iam.create_login_profile, UserName="alice", Password=GOOD)

    def test_the_login_profile_shows_the_first_passwords_date(self) -> None:
        standin.seed(users=[{"name": "alice", "password_last_changed": "2025-01-03T03:04:05Z"}])
        self.reset(GOOD)
        profile = self.iam.get_login_profile(UserName="alice")["LoginProfile"]
        self.assertEqual(profile["CreateDate"].isoformat(), "2025-01-02T03:04:05+00:00")


class Users(StandinTest):
    def test_names_are_matched_without_regard_to_case(self) -> None:
        standin.seed(users=[{"name": "Alice", "path": "/team/", "tags": {"owner": "bob@example.org"}}])
        for operation in (self.iam.get_user, self.iam.get_login_profile):
            self.assertEqual(next(iter(operation(UserName="ALICE").values()))["UserName"], "Alice")
        self.assertEqual(
            self.iam.list_user_tags(UserName="aLICE")["Tags"], [{"Key": "owner", "Value": "bob@example.org"}]
        )
        self.assert_refused(409, "EntityAlreadyExists", self.iam.create_user, UserName="alice")

    def test_ids_and_arns_look_like_awss(self) -> None:
        user = self.iam.create_user(UserName="alice", Path="/team/")["User"]
        self.assertRegex(user["UserId"], r"^AIDA[A-Z0-9]{17}$")
        self.assertEqual(user["Arn"], f"arn:aws:iam::{HOME}:user/team/alice")

    def test_lists_are_paged(self) -> None:
        standin.seed(users=[{"name": f"user-{n}", "path": "/a/" if n % 2 else "/b/"} for n in range(7)])
        first = self.iam.list_users(MaxItems=3)
        self.assertEqual(
            ([u["UserName"] for u in first["Users"]], first["IsTruncated"]), (["user-0", "user-1", "user-2"], True)
        )
        self.assertNotIn("Tags", first["Users"][0])
        self.iam.delete_user(UserName="user-2")
        rest = self.iam.list_users(Marker=first["Marker"])
        self.assertEqual(
            ([u["UserName"] for u in rest["Users"]], rest["IsTruncated"]), ([f"user-{n}" for n in range(3, 7)], False)
        )
        pages = list(self.iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3}))
        self.assertEqual([len(page["Users"]) for page in pages], [3, 3])
        self.assertEqual(len(self.iam.list_users(PathPrefix="/a/")["Users"]), 3)
        self.assert_refused(400, "ValidationError", self.iam.list_users, Marker="é")

    def test_the_details_of_all_users_are_paged_and_have_paths_and_tags(self) -> None:
        users = [{"name": f"user-{n}", "path": "/a/", "tags": {"team": f"red-{n}"}} for n in range(3)]
        standin.seed(users=[*users, {"name": "user-3"}])
        details = self.iam.get_account_authorization_details
        first = details(Filter=["User"], MaxItems=2)
        self.assertEqual(first["IsTruncated"], True)
        rest = details(Filter=["User"], MaxItems=2, Marker=first["Marker"])
        self.assertEqual((rest["IsTruncated"], rest.get("Marker")), (False, None))
        found = [
            (user["UserName"], user["Path"], user.get("Tags", []))
            for user in (*first["UserDetailList"], *rest["UserDetailList"])
        ]
        tagged = [(f"user-{n}", "/a/", [{"Key": "team", "Value": f"red-{n}"}]) for n in range(3)]
        self.assertEqual(found, [*tagged, ("user-3", "/", [])])
        self.assertEqual(first.keys() & {"GroupDetailList", "RoleDetailList", "Policies"}, set())
        self.assert_refused(400, "InvalidInput", details, Filter=["Role"])

    def test_a_user_has_ten_managed_policies_at_most(self) -> None:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        arns = standin.seed(
            users=[{"name": "alice"}], policies=[{"name": f"policy-{n}", "document": document} for n in range(9)]
        )["policies"].values()
        for arn in [*arns, CHANGE_PASSWORD_POLICY, CHANGE_PASSWORD_POLICY]:
            self.iam.attach_user_policy(UserName="alice", PolicyArn=arn)
        self.assert_refused(
            409,
            "LimitExceeded",
            self.iam.attach_user_policy,
            UserName="alice",
            PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess",
        )
        self.assertIn("IAMUserChangePassword", standin.user("alice")["attached_policies"])
        self.assert_refused(
            404,
            "NoSuchEntity",
            self.iam.attach_user_policy,
            UserName="alice",
            PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy",
        )

    def test_tags_are_checked(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        self.iam.tag_user(UserName="alice", Tags=[{"Key": "Team", "Value": "Ä 1_.:/=+-@"}])
        self.assertEqual(standin.user("alice")["tags"], {"Team": "Ä 1_.:/=+-@"})
        self.assert_refused(
            400, "ValidationError", self.iam.tag_user, UserName="alice", Tags=[{"Key": "Team", "Value": "a,b"}]
        )

    def test_five_thousand_users_seed_in_seconds(self) -> None:
        started = time.monotonic()
        standin.seed(users=[{"name": f"user-{n}", "age_days": n} for n in range(5000)], generate_report=True)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(self.iam.get_credential_report()["Content"].count(b"\n"), 5002)


class AccountPasswordPolicy(StandinTest):
    def test_what_is_left_out_reverts_to_its_default(self) -> None:
        self.iam.update_account_password_policy(
            MinimumPasswordLength=20,
            RequireSymbols=True,
            MaxPasswordAge=90,
            PasswordReusePrevention=5,
            AllowUsersToChangePassword=True,
            HardExpiry=True,
        )
        before = self.iam.get_account_password_policy()["PasswordPolicy"]
        self.assertEqual((before["MaxPasswordAge"], before["ExpirePasswords"], before["HardExpiry"]), (90, True, True))
        self.iam.update_account_password_policy(RequireNumbers=True)
        self.assertEqual(
            self.iam.get_account_password_policy()["PasswordPolicy"],
            {
                "MinimumPasswordLength": 6,
                "RequireNumbers": True,
                "RequireSymbols": False,
                "RequireUppercaseCharacters": False,
                "RequireLowercaseCharacters": False,
                "AllowUsersToChangePassword": False,
                "ExpirePasswords": False,
            },
        )

    def test_zero_is_invalid_and_changes_nothing(self) -> None:
        iam = standin.boto3("iam", parameter_validation=False)
        standin.seed(password_policy={"MinimumPasswordLength": 9})
        for field in ("MaxPasswordAge", "PasswordReusePrevention", "MinimumPasswordLength"):
            self.assert_refused(400, "ValidationError", iam.update_account_password_policy, **{field: 0})
        self.assertEqual(iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"], 9)

    def test_an_account_may_have_none(self) -> None:
        self.assert_refused(404, "NoSuchEntity", self.iam.get_account_password_policy)


class CredentialReports(StandinTest):
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.iam.get_credential_report()["Content"].decode())))

    def row(self, user: str) -> dict[str, str]:
        return next(row for row in self.rows() if row["user"] == user)

    def test_it_has_the_documented_columns_and_values(self) -> None:
        standin.seed(
            users=[
                {"name": "alice", "password_last_changed": "2026-01-02T03:04:05Z"},
                {"name": "robot", "password": None},
            ],
            password_policy={"MaxPasswordAge": 90},
            generate_report=True,
        )
        root, alice, robot = self.rows()
        self.assertEqual(list(root), list(COLUMNS))
        self.assertEqual(len(COLUMNS), 22)
        self.assertEqual(
            (root["user"], root["arn"], root["password_enabled"], root["password_last_changed"]),
            ("<root_account>", f"arn:aws:iam::{HOME}:root", "not_supported", "not_supported"),
        )
        self.assertEqual(alice["user_creation_time"], "2026-01-01T03:04:05+00:00")
        self.assertEqual(
            [alice[c] for c in COLUMNS[3:8]],
            ["true", "no_information", "2026-01-02T03:04:05+00:00", "2026-04-02T03:04:05+00:00", "false"],
        )
        self.assertEqual([robot[c] for c in COLUMNS[3:8]], ["false", "N/A", "N/A", "N/A", "false"])

    def test_it_comes_to_be_step_by_step(self) -> None:
        self.assert_refused(410, "ReportNotPresent", self.iam.get_credential_report)
        standin.settings(report_polls=2)
        states = [self.iam.generate_credential_report()["State"], self.iam.generate_credential_report()["State"]]
        self.assert_refused(404, "ReportInProgress", self.iam.get_credential_report)
        states.append(self.iam.generate_credential_report()["State"])
        self.assertEqual(states, ["STARTED", "INPROGRESS", "COMPLETE"])

    def test_by_default_it_is_ready_at_the_next_call(self) -> None:
        self.assertEqual(self.iam.generate_credential_report()["State"], "STARTED")
        answer = self.iam.get_credential_report()
        self.assertEqual(answer["ReportFormat"], "text/csv")
        self.assertLess(abs(answer["GeneratedTime"].timestamp() - time.time()), 60)

    def test_it_is_kept_for_four_hours_and_so_shows_the_old_date(self) -> None:
        standin.seed(users=[{"name": "alice", "age_days": 100}], generate_report=True)
        old = self.row("alice")["password_last_changed"]
        self.iam.update_login_profile(UserName="alice", Password=GOOD)
        standin.settings(clock_offset_seconds=4 * 3600 - 60)
        self.assertEqual(self.iam.generate_credential_report()["State"], "COMPLETE")
        self.assertEqual(self.row("alice")["password_last_changed"], old)
        standin.settings(clock_offset_seconds=4 * 3600 + 60)
        self.assert_refused(410, "ReportExpired", self.iam.get_credential_report)
        self.assertEqual(self.iam.generate_credential_report()["State"], "STARTED")
        self.assertGreater(self.row("alice")["password_last_changed"], old)

    def test_odd_rows_can_be_seeded(self) -> None:
        standin.seed(
            users=[
                {"name": "future", "password_last_changed": "2999-01-01T00:00:00Z"},
                {"name": "odd", "report_row": {"password_enabled": "TRUE", "password_last_changed": "no_information"}},
                {"name": "twice", "report_rows": [{}, {"password_last_changed": "2020-01-01T00:00:00+00:00"}]},
            ],
            report={"root_row": False, "extra_columns": {"additional_credentials_info": "none"}},
            generate_report=True,
        )
        rows = self.rows()
        self.assertEqual([row["user"] for row in rows], ["future", "odd", "twice", "twice"])
        self.assertEqual({len(row) for row in rows}, {23})
        self.assertEqual(rows[0]["password_last_changed"], "2999-01-01T00:00:00+00:00")
        self.assertEqual((rows[1]["password_enabled"], rows[1]["password_last_changed"]), ("TRUE", "no_information"))
        self.assertNotEqual(rows[2]["password_last_changed"], rows[3]["password_last_changed"])


class PolicySimulation(StandinTest):
    def decide(self, resource: str | None = None, context: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        arn = standin.user("alice")["arn"]
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "boolean"}
            for key, value in (context or {}).items()
        ]
        results = self.iam.simulate_principal_policy(
            PolicySourceArn=arn,
            ActionNames=["iam:ChangePassword"],
            ResourceArns=[resource or arn],
            ContextEntries=entries,
            **more,
        )["EvaluationResults"]
        self.assertEqual([r["EvalActionName"] for r in results], ["iam:ChangePassword"])
        return results[0]

    def verdict(self, *args: Any, **kwargs: Any) -> str:
        return self.decide(*args, **kwargs)["EvalDecision"]

    def test_nothing_said_is_an_implicit_deny_whatever_the_password_policy_says(self) -> None:
        standin.seed(users=[{"name": "alice"}], password_policy={"AllowUsersToChangePassword": True})
        self.assertEqual(self.verdict(), "implicitDeny")

    def test_a_managed_policy_allows_on_the_users_own_arn_only(self) -> None:
        standin.seed(users=[{"name": "alice", "path": "/team/", "attached_policies": ["IAMUserChangePassword"]}])
        decision = self.decide()
        self.assertEqual(decision["EvalDecision"], "allowed")
        self.assertEqual(decision["MatchedStatements"][0]["SourcePolicyId"], "IAMUserChangePassword")
        self.assertEqual(self.verdict("*"), "implicitDeny")
        self.assertEqual(self.verdict(f"arn:aws:iam::{HOME}:user/bob"), "implicitDeny")

    def test_a_groups_deny_beats_the_users_allow(self) -> None:
        deny = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Deny", "Action": ["iam:Change*"], "Resource": "*"}],
        }
        standin.seed(users=[{"name": "alice", "attached_policies": ["IAMUserChangePassword"]}])
        self.iam.create_group(GroupName="locked")
        self.iam.put_group_policy(GroupName="locked", PolicyName="no", PolicyDocument=json.dumps(deny))
        self.assertEqual(self.verdict(), "allowed")
        self.iam.add_user_to_group(GroupName="locked", UserName="alice")
        self.assertEqual(self.verdict(), "explicitDeny")

    def test_deny_unless_mfa_depends_on_the_context(self) -> None:
        standin.seed(
            users=[
                {
                    "name": "alice",
                    "inline_policies": {"mfa": DENY_WITHOUT_MFA},
                    "attached_policies": ["IAMUserChangePassword"],
                }
            ]
        )
        # BoolIfExists holds for a missing key.
        decision = self.decide()
        self.assertEqual(
            (decision["EvalDecision"], decision["MissingContextValues"]),
            ("explicitDeny", ["aws:MultiFactorAuthPresent"]),
        )
        self.assertEqual(self.verdict(context={"aws:MultiFactorAuthPresent": "false"}), "explicitDeny")
        self.assertEqual(self.verdict(context={"aws:MultiFactorAuthPresent": "true"}), "allowed")

    def test_bool_is_false_without_its_key(self) -> None:
        deny = json.loads(json.dumps(DENY_WITHOUT_MFA).replace("BoolIfExists", "Bool"))
        standin.seed(users=[{"name": "alice", "inline_policies": {"mfa": deny}}])
        self.assertEqual(self.verdict(), "implicitDeny")
        self.assertEqual(self.verdict(context={"aws:MultiFactorAuthPresent": "false"}), "explicitDeny")

    def test_conditions_on_strings_tags_and_absence(self) -> None:
        for operator, key, value, expected in (
            ("StringEquals", "aws:username", "alice", "allowed"),
            ("StringEquals", "aws:username", "ALICE", "implicitDeny"),
            ("StringEqualsIgnoreCase", "aws:username", ["bob", "ALICE"], "allowed"),
            ("StringLike", "aws:PrincipalTag/team", "red*", "allowed"),
            ("StringNotEquals", "aws:PrincipalTag/team", "red-1", "implicitDeny"),
            ("StringNotEquals", "aws:PrincipalTag/none", "red-1", "allowed"),
            ("ForAnyValue:StringEquals", "aws:PrincipalTag/none", "x", "implicitDeny"),
            ("ForAllValues:StringEquals", "aws:PrincipalTag/none", "x", "allowed"),
            ("Null", "aws:PrincipalTag/none", "true", "allowed"),
            ("Null", "aws:PrincipalTag/team", "true", "implicitDeny"),
            ("NumericLessThan", "aws:MultiFactorAuthAge", "100", "implicitDeny"),
            ("StringEquals", "aws:username", "${aws:username}", "allowed"),
            ("StringLike", "aws:PrincipalArn", "*:user/${aws:username}", "allowed"),
            ("StringEquals", "aws:PrincipalTag/team", "${aws:username}", "implicitDeny"),
            ("StringEquals", "aws:username", "${aws:PrincipalTag/none}", "implicitDeny"),
        ):
            with self.subTest(f"{operator} {key} {value}"):
                standin.reset()
                allow = {
                    "Statement": [
                        {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": {operator: {key: value}}}
                    ]
                }
                standin.seed(users=[{"name": "alice", "tags": {"team": "red-1"}, "inline_policies": {"p": allow}}])
                self.assertEqual(self.verdict(), expected)

    def test_what_is_not_known_is_an_error_and_no_guess(self) -> None:
        strange = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "*",
                    "Resource": "*",
                    "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}},
                }
            ]
        }
        standin.seed(users=[{"name": "alice", "inline_policies": {"p": strange}}])
        self.assert_refused(500, "PolicyEvaluation", self.verdict)
        self.assert_refused(
            404,
            "NoSuchEntity",
            self.iam.simulate_principal_policy,
            PolicySourceArn=f"arn:aws:iam::{HOME}:user/wrong/path/alice",
            ActionNames=["iam:ChangePassword"],
        )


class SigningIn(StandinTest):
    def test_the_right_password_works_and_says_whether_a_change_is_due(self) -> None:
        standin.seed(users=[{"name": "alice", "password": GOOD, "reset_required": True}])
        self.assertFalse(standin.sign_in("alice", "wrong")["works"])
        answer = standin.sign_in("alice", GOOD)
        self.assertEqual((answer["works"], answer["change_required"], answer["may_change"]), (True, True, False))

    def test_who_may_not_change_the_password_is_deadlocked(self) -> None:
        standin.seed(users=[{"name": "alice", "password": GOOD, "reset_required": True}])
        answer = standin.sign_in("alice", GOOD, "My-Own-Pass-1")
        self.assertEqual((answer["changed"], answer["error"]), (False, "AccessDenied"))
        self.iam.attach_user_policy(UserName="alice", PolicyArn=CHANGE_PASSWORD_POLICY)
        self.assertTrue(standin.sign_in("alice", GOOD, "My-Own-Pass-1")["changed"])
        self.assertFalse(standin.sign_in("alice", "My-Own-Pass-1")["change_required"])

    def test_the_accounts_policy_lets_everyone_but_the_denied(self) -> None:
        standin.seed(
            users=[
                {"name": "alice", "password": GOOD},
                {"name": "bob", "password": GOOD, "inline_policies": {"mfa": DENY_WITHOUT_MFA}},
            ],
            password_policy={"AllowUsersToChangePassword": True},
        )
        self.assertTrue(standin.sign_in("alice", GOOD, "My-Own-Pass-1")["changed"])
        self.assertEqual(standin.sign_in("bob", GOOD, "My-Own-Pass-1")["error"], "AccessDenied")

    def test_a_new_password_must_satisfy_the_policy_and_be_new(self) -> None:
        standin.seed(
            users=[{"name": "alice", "password": GOOD}],
            password_policy={"AllowUsersToChangePassword": True, "RequireNumbers": True},
        )
        for new in ("NoNumbersHere", GOOD):
            self.assertEqual(standin.sign_in("alice", GOOD, new)["error"], "PasswordPolicyViolation")
        self.assertTrue(standin.sign_in("alice", GOOD, "My-Own-Pass-1")["changed"])
        standin.seed(password_policy={"AllowUsersToChangePassword": True, "PasswordReusePrevention": 1})
        self.assertEqual(standin.sign_in("alice", "My-Own-Pass-1", GOOD)["error"], "PasswordPolicyViolation")

    def test_an_old_password_must_be_changed_or_by_hard_expiry_is_useless(self) -> None:
        standin.seed(
            users=[{"name": "alice", "password": GOOD, "age_days": 91}], password_policy={"MaxPasswordAge": 90}
        )
        self.assertTrue(standin.sign_in("alice", GOOD)["change_required"])
        standin.seed(password_policy={"MaxPasswordAge": 90, "HardExpiry": True})
        self.assertEqual(standin.sign_in("alice", GOOD)["error"], "PasswordExpired")


class SecretVersions(StandinTest):
    def create(self, value: str | None = None, name: str = "s/alice", **more: Any) -> None:
        self.secrets.create_secret(Name=name, **({"SecretString": value} if value else {}), **more)

    def put(self, token: str, value: str, *labels: str) -> dict[str, Any]:
        return self.secrets.put_secret_value(
            SecretId="s/alice",
            ClientRequestToken=token,
            SecretString=value,
            **({"VersionStages": list(labels)} if labels else {}),
        )

    def move(self, label: str, to: str | None = None, out_of: str | None = None) -> None:
        ends = {"MoveToVersionId": to, "RemoveFromVersionId": out_of}
        self.secrets.update_secret_version_stage(
            SecretId="s/alice", VersionStage=label, **{key: value for key, value in ends.items() if value}
        )

    def labels(self) -> dict[str, set[str]]:
        shown = self.secrets.describe_secret(SecretId="s/alice").get("VersionIdsToStages", {})
        return {version: set(labels) for version, labels in shown.items()}

    def value(self, **which: str) -> str:
        return self.secrets.get_secret_value(SecretId="s/alice", **which)["SecretString"]

    def test_a_version_never_changes(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        for labels in (["AWSPENDING"], ["AWSCURRENT"]):
            self.put(TOKEN_B, "two", *labels)
            self.put(TOKEN_B, "two", "AWSCURRENT")
            self.assert_refused(400, "ResourceExistsException", self.put, TOKEN_B, "three", *labels)
            self.assertEqual(self.value(VersionId=TOKEN_B), "two")
            # The repetition was ignored, labels and all.
            self.assertEqual(self.labels(), {TOKEN_A: {"AWSCURRENT"}, TOKEN_B: {"AWSPENDING"}})

    def test_a_secret_without_a_value_is_empty_until_the_first_version_which_is_current(self) -> None:
        self.create()
        self.assertEqual(self.labels(), {})
        self.assert_refused(400, "ResourceNotFoundException", self.value)
        answer = self.put(TOKEN_A, "one", "AWSPENDING")
        self.assertEqual(set(answer["VersionStages"]), {"AWSPENDING", "AWSCURRENT"})
        self.assertEqual(self.value(), "one")

    def test_a_label_sits_on_one_version(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.put(TOKEN_B, "two", "AWSPENDING")
        self.put(TOKEN_C, "three", "AWSPENDING", "mine")
        self.assertEqual(self.labels(), {TOKEN_A: {"AWSCURRENT"}, TOKEN_C: {"AWSPENDING", "mine"}})
        self.assertEqual((self.value(), self.value(VersionStage="AWSPENDING")), ("one", "three"))

    def test_moving_current_moves_previous(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.put(TOKEN_B, "two")
        self.assertEqual(self.labels(), {TOKEN_A: {"AWSPREVIOUS"}, TOKEN_B: {"AWSCURRENT"}})
        self.put(TOKEN_C, "three", "AWSPENDING")
        self.move("AWSCURRENT", TOKEN_C, TOKEN_B)
        self.assertEqual(self.labels(), {TOKEN_B: {"AWSPREVIOUS"}, TOKEN_C: {"AWSCURRENT", "AWSPENDING"}})
        self.assertEqual(self.value(), "three")
        self.move("AWSPENDING", out_of=TOKEN_C)
        self.assertEqual(self.labels()[TOKEN_C], {"AWSCURRENT"})

    def test_twenty_labels_is_all_that_the_versions_may_have_together(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.put(TOKEN_B, "two", *(f"mine-{number}" for number in range(19)))
        before = self.labels()
        self.assert_refused(400, "LimitExceededException", self.move, "another", TOKEN_A)
        self.assert_refused(400, "LimitExceededException", self.put, TOKEN_C, "three", "AWSPENDING")
        self.assert_refused(400, "LimitExceededException", self.put, TOKEN_C, "three")
        self.assertEqual(self.labels(), before)
        self.put(TOKEN_C, "three", "mine-1")
        self.move("mine-2", out_of=TOKEN_B)
        self.move("another", TOKEN_A)

    def test_a_move_names_the_labels_holder_or_changes_nothing(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.put(TOKEN_B, "two", "AWSPENDING")
        before = self.labels()
        for code, arguments in (
            ("InvalidParameterException", ("AWSCURRENT", TOKEN_B)),
            ("InvalidParameterException", ("AWSCURRENT", TOKEN_B, TOKEN_B)),
            ("InvalidParameterException", ("AWSPENDING", TOKEN_A)),
            ("InvalidParameterException", ("AWSPENDING", TOKEN_A, TOKEN_A)),
            ("InvalidParameterException", ("mine", TOKEN_A, TOKEN_B)),
            ("InvalidParameterException", ("AWSCURRENT", None, TOKEN_A)),
            ("InvalidParameterException", ("AWSCURRENT",)),
            ("ResourceNotFoundException", ("AWSCURRENT", TOKEN_C, TOKEN_A)),
        ):
            with self.subTest(arguments):
                self.assert_refused(400, code, self.move, *arguments)
                self.assertEqual(self.labels(), before)
        self.move("mine", TOKEN_A)
        self.move("mine", TOKEN_A)
        self.assertEqual(self.labels()[TOKEN_A], {"AWSCURRENT", "mine"})

    def test_of_two_movers_from_the_same_holder_one_wins(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.put(TOKEN_B, "two", "b")
        self.put(TOKEN_C, "three", "c")
        standin.settings(latency_ms=50)
        with ThreadPoolExecutor() as pool:
            moves = [pool.submit(self.move, "AWSCURRENT", target, TOKEN_A) for target in (TOKEN_B, TOKEN_C)]
        self.assertEqual(sorted(bool(move.exception()) for move in moves), [False, True])

    def test_unlabelled_versions_are_not_shown_and_may_vanish(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.put(TOKEN_B, "two", "AWSPENDING")
        self.put(TOKEN_C, "three", "AWSPENDING")
        self.assertEqual(self.labels().keys(), {TOKEN_A, TOKEN_C})
        self.assertEqual(self.value(VersionId=TOKEN_B), "two")
        standin.settings(drop_unlabelled_versions=True)
        self.move("mine", TOKEN_A)
        self.assert_refused(400, "ResourceNotFoundException", self.value, VersionId=TOKEN_B)

    def test_asking_for_a_version_and_a_label_that_disagree_is_refused(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.assert_refused(400, "InvalidRequestException", self.value, VersionId=TOKEN_A, VersionStage="AWSPENDING")

    def test_creating_again_is_a_repetition_or_a_conflict(self) -> None:
        self.create("one", ClientRequestToken=TOKEN_A)
        self.create("one", ClientRequestToken=TOKEN_A)
        self.assert_refused(400, "ResourceExistsException", self.create, "two", ClientRequestToken=TOKEN_A)
        self.assert_refused(400, "ResourceExistsException", self.create, "one", ClientRequestToken=TOKEN_B)
        self.assert_refused(400, "ResourceExistsException", self.create)

    def test_a_deleted_secret_holds_its_name_and_can_be_restored(self) -> None:
        self.create("one")
        self.secrets.delete_secret(SecretId="s/alice")
        for call, arguments in (
            (self.value, ()),
            (self.create, ("two",)),
            (self.put, (TOKEN_B, "two")),
            (self.move, ("AWSCURRENT", TOKEN_B)),
        ):
            self.assert_refused(400, "InvalidRequestException", call, *arguments)
        self.assertIn("DeletedDate", self.secrets.describe_secret(SecretId="s/alice"))
        self.secrets.restore_secret(SecretId="s/alice")
        self.assertEqual(self.value(), "one")

    def test_a_forced_deletion_frees_the_name(self) -> None:
        self.create("one")
        self.secrets.delete_secret(SecretId="s/alice", ForceDeleteWithoutRecovery=True)
        self.create("two")
        self.assertEqual(self.value(), "two")

    def test_names_tokens_and_tags_are_checked(self) -> None:
        self.create(name="aA1/_+=.@-")
        for name in ("a,b", "a b", "ä", "a!"):
            self.assert_refused(400, "ValidationException", self.create, name=name)
        secrets = standin.boto3("secretsmanager", parameter_validation=False)
        for token in ("x" * 31, "x" * 65):
            self.assert_refused(
                400,
                "InvalidParameterException",
                secrets.create_secret,
                Name="n",
                SecretString="s",
                ClientRequestToken=token,
            )
        comma = [{"Key": "iam-user", "Value": "a,b"}]
        self.assert_refused(400, "InvalidParameterException", self.create, name="n", Tags=comma)
        self.create(name="n")
        self.assert_refused(400, "InvalidParameterException", self.secrets.tag_resource, SecretId="n", Tags=comma)

    def test_it_is_found_by_name_arn_and_partial_arn_of_its_own_account_and_region(self) -> None:
        self.create("a&Name=b")
        arn = self.secrets.describe_secret(SecretId="s/alice")["ARN"]
        for secret_id in (arn, arn[:-7]):
            self.assertEqual(self.secrets.get_secret_value(SecretId=secret_id)["SecretString"], "a&Name=b")
        for secret_id in (arn[:-1] + "?", arn.replace("us-east-1", "us-east-2"), arn.replace(HOME, "999999999999")):
            self.assert_refused(400, "ResourceNotFoundException", self.secrets.describe_secret, SecretId=secret_id)

    def test_every_change_moves_the_date_of_the_last_one(self) -> None:
        def changed() -> float:
            return self.secrets.describe_secret(SecretId="s/alice")["LastChangedDate"].timestamp()

        self.create("one", ClientRequestToken=TOKEN_A)
        moments = [changed()]
        for change in (
            lambda: self.put(TOKEN_B, "two", "b"),
            lambda: self.move("b", TOKEN_A, TOKEN_B),
            lambda: self.secrets.tag_resource(SecretId="s/alice", Tags=[{"Key": "k", "Value": "v"}]),
        ):
            change()
            moments.append(changed())
        self.assertEqual(moments, sorted(set(moments)))

    def test_every_operation_takes_an_arn(self) -> None:
        arn = self.secrets.create_secret(Name="s/alice", SecretString="one", ClientRequestToken=TOKEN_A)["ARN"]
        self.assertNotEqual(arn[-7:-6], "/")
        which = {"SecretId": arn}
        self.secrets.put_secret_value(
            **which, SecretString="two", ClientRequestToken=TOKEN_B, VersionStages=["AWSPENDING"]
        )
        self.secrets.update_secret_version_stage(
            **which, VersionStage="AWSCURRENT", MoveToVersionId=TOKEN_B, RemoveFromVersionId=TOKEN_A
        )
        self.secrets.tag_resource(**which, Tags=[{"Key": "k", "Value": "v"}])
        described = self.secrets.describe_secret(**which)
        self.assertEqual((described["Name"], described["Tags"]), ("s/alice", [{"Key": "k", "Value": "v"}]))
        self.assertEqual(self.secrets.get_secret_value(**which)["SecretString"], "two")
        self.secrets.delete_secret(**which, RecoveryWindowInDays=7)
        self.assert_refused(400, "InvalidRequestException", self.secrets.delete_secret, **which)
        self.secrets.restore_secret(**which)
        self.secrets.delete_secret(**which, ForceDeleteWithoutRecovery=True)
        self.assertEqual(standin.secrets(), [])

    def test_the_first_version_has_the_tokens_id_and_is_shown_whatever_its_value(self) -> None:
        self.create("placeholder", ClientRequestToken=TOKEN_A)
        self.assertEqual(self.labels(), {TOKEN_A: {"AWSCURRENT"}})
        self.put(TOKEN_B, "two", "AWSPENDING")
        self.assertEqual(self.labels(), {TOKEN_A: {"AWSCURRENT"}, TOKEN_B: {"AWSPENDING"}})
        self.move("AWSCURRENT", TOKEN_B, TOKEN_A)
        # The request that made the secret, sent again, changes nothing.
        self.create("placeholder", ClientRequestToken=TOKEN_A)
        self.assertEqual(self.labels(), {TOKEN_A: {"AWSPREVIOUS"}, TOKEN_B: {"AWSCURRENT", "AWSPENDING"}})

    def names(self, *filters: tuple[str, str], **more: Any) -> list[str]:
        wanted = [{"Key": key, "Values": [value]} for key, value in filters]
        pages = self.secrets.get_paginator("list_secrets").paginate(Filters=wanted, **more)
        return [secret["Name"] for page in pages for secret in page["SecretList"]]

    def test_lists_are_filtered_by_beginnings_of_names_and_tags(self) -> None:
        for name, owner in (("s/alice", "alice"), ("s/bob", "bob"), ("S/carol", "alice"), ("other/s/dave", "dave")):
            self.create(name=name, Tags=[{"Key": "iam-user", "Value": owner}])
        self.create(name="s/untagged")
        self.assertEqual(self.names(("name", "s/")), ["s/alice", "s/bob", "s/untagged"])
        self.assertEqual(len(self.names(("tag-key", "iam-"))), 4)
        self.assertEqual(self.names(("tag-key", "iam-user"), ("tag-value", "alice")), ["s/alice", "S/carol"])
        self.assertEqual(self.names(("name", "s/"), ("tag-value", "ali")), ["s/alice"])
        secrets = standin.boto3("secretsmanager", parameter_validation=False)
        strange = [{"Key": "owner", "Values": ["x"]}]
        self.assert_refused(400, "ValidationException", secrets.list_secrets, Filters=strange)

    def test_lists_are_paged_and_show_what_awss_do(self) -> None:
        for n in range(5):
            self.create("one", name=f"s/{n}", ClientRequestToken=TOKEN_A)
        first = self.secrets.list_secrets(MaxResults=2)
        self.assertEqual([secret["Name"] for secret in first["SecretList"]], ["s/0", "s/1"])
        self.assertEqual(self.names(PaginationConfig={"PageSize": 2}), [f"s/{n}" for n in range(5)])
        self.assertNotIn("NextToken", self.secrets.list_secrets(MaxResults=5))
        shown = first["SecretList"][0]
        self.assertEqual(shown["SecretVersionsToStages"], {TOKEN_A: ["AWSCURRENT"]})
        self.assertEqual(shown["ARN"], self.secrets.describe_secret(SecretId="s/0")["ARN"])
        self.assert_refused(400, "InvalidNextTokenException", self.secrets.list_secrets, NextToken="mine")
        unchecked = standin.boto3("secretsmanager", parameter_validation=False)
        self.assert_refused(400, "InvalidParameterException", unchecked.list_secrets, MaxResults=101)

    def test_secrets_marked_as_deleted_are_listed_on_demand_only(self) -> None:
        self.create("one")
        self.create("two", name="s/bob")
        self.secrets.delete_secret(SecretId="s/bob")
        self.assertEqual(self.names(), ["s/alice"])
        self.assertEqual(self.names(IncludePlannedDeletion=True), ["s/alice", "s/bob"])
        deleted = self.secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"][1]
        self.assertIn("DeletedDate", deleted)

    def test_what_is_not_modelled_says_so(self) -> None:
        self.create("one")
        self.assert_refused(501, "NotImplemented", self.secrets.rotate_secret, SecretId="s/alice")


class Ledger(StandinTest):
    """Expressions as the function writes them: `open` is a reserved word, so names have placeholders."""

    NAMES: ClassVar = {"#lease": "lease_until"}

    def setUp(self) -> None:
        super().setUp()
        standin.seed(tables=[{"name": "ledger"}])

    @property
    def table(self) -> Any:
        return self.client("dynamodb")

    def update(self, expression: str | None = None, item: str = "a", returned: str = "ALL_NEW", **more: Any) -> Any:
        if expression:
            more["UpdateExpression"] = expression
        values = {name: _typed(value) for name, value in (more.pop("values", None) or {}).items()}
        if values:
            more["ExpressionAttributeValues"] = values
        answer = self.table.update_item(
            **{"TableName": "ledger", "Key": {"id": {"S": item}}, "ReturnValues": returned, **more}
        )
        return answer.get("Attributes")

    def open_ones(self, **more: Any) -> Any:
        return self.table.query(
            **{
                "TableName": "ledger",
                "IndexName": "open",
                "KeyConditionExpression": "#o = :o",
                "ExpressionAttributeNames": {"#o": "open"},
                "ExpressionAttributeValues": {":o": {"S": "yes"}},
                **more,
            }
        )

    def take_lease(self, now: int, until: int, **more: Any) -> Any:
        return self.update(
            "SET #lease = :until",
            ConditionExpression="attribute_not_exists(#lease) OR #lease < :now",
            ExpressionAttributeNames=self.NAMES,
            values={":now": now, ":until": until},
            **more,
        )

    def test_a_condition_decides_and_numbers_are_compared_as_numbers(self) -> None:
        self.assertEqual(self.take_lease(5, 100), {"id": {"S": "a"}, "lease_until": {"N": "100"}})
        for now in (9, 99, 100):
            self.assert_refused(400, "ConditionalCheckFailedException", self.take_lease, now, 200)
        with self.assertRaises(ClientError) as caught:
            self.take_lease(9, 200, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        self.assertEqual(caught.exception.response["Item"]["lease_until"], {"N": "100"})
        self.assertEqual(self.take_lease(101, 1000)["lease_until"], {"N": "1000"})

    def test_a_condition_that_fails_makes_no_item(self) -> None:
        refused = {"ConditionExpression": "attribute_exists(id)", "values": {":x": 1}}
        self.assert_refused(400, "ConditionalCheckFailedException", self.update, "SET x = :x", **refused)
        self.assertEqual(standin.ledger(), [])

    def test_of_many_who_want_the_lease_one_gets_it(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            tried = [pool.submit(self.take_lease, 5, 100) for _ in range(8)]
        self.assertEqual(sum(attempt.exception() is None for attempt in tried), 1)

    def test_conditions_on_what_is_absent_or_of_another_type(self) -> None:
        self.update("SET n = :n, s = :s", values={":n": 5, ":s": "5"})
        for condition, holds in (
            ("absent = :n", False),
            ("absent <> :n", True),
            ("absent < :n", False),
            ("s = :n", False),
            ("s <> :n", True),
            ("s < :n", False),
            ("s >= :n", False),
            ("absent = nothing", False),
            ("n = :n AND NOT attribute_exists(absent)", True),
            ("attribute_exists(n) OR attribute_exists(absent) AND attribute_exists(absent)", True),
            ("size(s) < :n", True),
        ):
            with self.subTest(condition):
                arguments = {"ConditionExpression": condition, "values": {":x": 1, ":n": 5}}
                if ":n" not in condition:
                    del arguments["values"][":n"]
                if holds:
                    self.update("SET x = :x", **arguments)
                else:
                    self.assert_refused(400, "ConditionalCheckFailedException", self.update, "SET x = :x", **arguments)

    def test_what_exists_is_kept_and_lists_grow(self) -> None:
        expression = "SET begun = if_not_exists(begun, :v), told = list_append(if_not_exists(told, :none), :more)"
        for n, expected in ((14, [14]), (3, [14, 3])):
            self.update(expression, values={":v": f"v{n}", ":none": [], ":more": [n]})
            self.assertEqual(standin.ledger(), [{"id": "a", "begun": "v14", "told": expected}])

    def test_an_update_sees_the_item_as_it_was_before(self) -> None:
        self.update("SET a = :one, b = :two", values={":one": 1, ":two": 2})
        self.update("SET a = b, b = a REMOVE absent")
        self.update("SET c = if_not_exists(b, :two), a = a + :two REMOVE b", values={":two": 2})
        self.assertEqual(standin.ledger(), [{"id": "a", "a": 4, "c": 1}])

    def test_answers_show_the_item_before_or_after(self) -> None:
        self.assertIsNone(self.update("SET x = :x", returned="ALL_OLD", values={":x": 1}))
        self.assertEqual(self.update("SET x = :x", returned="ALL_OLD", values={":x": 2})["x"], {"N": "1"})
        self.assertEqual(self.update("REMOVE x"), {"id": {"S": "a"}})
        self.assertIsNone(self.update("SET x = :x", returned="NONE", values={":x": 2}))
        self.assertEqual(self.update(item="bare"), {"id": {"S": "bare"}})

    def test_an_update_that_fails_changes_nothing(self) -> None:
        self.update("SET x = :x", values={":x": 1})
        before = standin.ledger()
        for item in ("a", "new"):
            for expression, values in (
                ("SET x = :x, y = absent", {":x": 2}),
                ("SET x = :x, y = :big", {":x": 2, ":big": "y" * 400 * 1024}),
                ("SET x = :x, #o = :x", {":x": 2}),
                ("SET x = :x, #o = :empty", {":x": 2, ":empty": ""}),
                ("SET x = :x, x = :y", {":x": 2, ":y": 3}),
                ("SET id = :x", {":x": "b"}),
                ("SET x = :x, y = :unknown", {":x": 2}),
                ("SET x = :x", {":x": 2, ":unused": 3}),
                ("SET open = :x", {":x": "yes"}),
            ):
                with self.subTest(f"{item} {expression}"):
                    names = {"ExpressionAttributeNames": {"#o": "open"}} if "#o" in expression else {}
                    self.assert_refused(
                        400, "ValidationException", self.update, expression, item, values=values, **names
                    )
                    self.assertEqual(standin.ledger(), before)
        self.assert_refused(400, "ValidationException", self.update, "REMOVE x", ExpressionAttributeNames={})
        no_number = {":x": {"N": "soon"}}
        self.assert_refused(400, "ValidationException", self.update, "SET x = :x", ExpressionAttributeValues=no_number)
        self.assertEqual(standin.ledger(), before)

    def test_keys_are_whole_typed_and_not_empty(self) -> None:
        for key in ({"id": {"N": "1"}}, {"id": {"S": ""}}, {"x": {"S": "a"}}, {"id": {"S": "a"}, "open": {"S": "b"}}):
            self.assert_refused(400, "ValidationException", self.update, Key=key)
            self.assert_refused(
                400, "ValidationException", self.table.batch_get_item, RequestItems={"ledger": {"Keys": [key]}}
            )
        self.assertEqual(standin.ledger(), [])

    def test_batches_answer_what_there_is_in_no_order(self) -> None:
        for item in ("a", "b", "c"):
            self.update("SET x = :x", item, values={":x": item})
        wanted = [{"id": {"S": item}} for item in ("a", "none", "b", "c")]
        answer = self.table.batch_get_item(RequestItems={"ledger": {"Keys": wanted, "ConsistentRead": True}})
        self.assertEqual([item["id"]["S"] for item in answer["Responses"]["ledger"]], ["c", "b", "a"])
        self.assertEqual(answer["UnprocessedKeys"], {})
        table = standin.boto3("dynamodb", parameter_validation=False)
        for keys in ([], wanted[:1] * 2, [{"id": {"S": str(n)}} for n in range(101)]):
            self.assert_refused(
                400, "ValidationException", table.batch_get_item, RequestItems={"ledger": {"Keys": keys}}
            )

    def test_the_index_has_those_items_that_have_its_key(self) -> None:
        for n in range(5):
            self.update("SET #o = :o", f"item-{n}", ExpressionAttributeNames={"#o": "open"}, values={":o": "yes"})
        self.update("SET #o = :o", "other", ExpressionAttributeNames={"#o": "open"}, values={":o": "no"})
        self.update("REMOVE #o SET x = :x", "item-3", ExpressionAttributeNames={"#o": "open"}, values={":x": 1})
        pages, start = [], {}
        while start is not None:
            page = self.open_ones(Limit=2, **start)
            pages.append([item["id"]["S"] for item in page["Items"]])
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if "LastEvaluatedKey" in page else None
        self.assertEqual([name for page in pages for name in page], ["item-0", "item-1", "item-2", "item-4"])
        self.assertLessEqual(max(map(len, pages)), 2)

    def test_wrong_queries_are_refused(self) -> None:
        for wrong in (
            {"ConsistentRead": True},
            {"KeyConditionExpression": "open = :o", "ExpressionAttributeNames": {"#x": "x"}},
            {"KeyConditionExpression": "open = :o", "FilterExpression": "attribute_exists(#o)"},
            {"ExpressionAttributeValues": {":o": {"S": "yes"}, ":unused": {"S": "x"}}},
            {"KeyConditionExpression": "#o > :o"},
        ):
            with self.subTest(wrong):
                self.assert_refused(400, "ValidationException", self.open_ones, **wrong)

    def test_a_table_that_is_not_there_is_not_found(self) -> None:
        for call in (
            lambda: self.update(TableName="other"),
            lambda: self.open_ones(TableName="other"),
            lambda: self.table.batch_get_item(RequestItems={"other": {"Keys": [{"id": {"S": "a"}}]}}),
            lambda: self.table.describe_table(TableName="other"),
        ):
            self.assert_refused(400, "ResourceNotFoundException", call)

    def test_accounts_have_ledgers_of_their_own(self) -> None:
        arns = standin.seed(account_id="210987654321", tables=[{"name": "ledger"}])["tables"]
        self.assertEqual(arns, {"ledger": "arn:aws:dynamodb:us-east-1:210987654321:table/ledger"})
        self.update("SET x = :x", values={":x": 1})
        self.assertEqual((standin.ledger(HOME), standin.ledger("210987654321")), ([{"id": "a", "x": 1}], []))
        ttl = self.table.describe_time_to_live(TableName="ledger")["TimeToLiveDescription"]
        self.assertEqual(ttl, {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})

    def test_leases_can_be_made_old(self) -> None:
        standin.seed(account_id="210987654321", tables=[{"name": "ledger"}])
        self.take_lease(5, 100)
        self.update("SET x = :x", "free", values={":x": 1})
        self.assertEqual(standin.expire_leases("210987654321"), 0)
        self.assertEqual(standin.expire_leases(HOME), 1)
        self.assertEqual(standin.ledger(), [{"id": "a", "lease_until": 0}, {"id": "free", "x": 1}])
        self.take_lease(5, 100)

    def test_calls_are_about_the_user_whose_items_they_touch(self) -> None:
        standin.seed(users=[{"name": "Alice"}])
        alice, again = f"user#{HOME}#alice", f"request#4f7d#8c#{HOME}#alice"
        for item in (alice, again, f"user#{HOME}#ghost", "message#x", "request#4f7d"):
            self.update(item=item)

        def get(*ids: str) -> None:
            keys = [{"id": {"S": item}} for item in ids]
            self.table.batch_get_item(RequestItems={"ledger": {"Keys": keys}})

        get(alice, again)
        get(alice, f"user#{HOME}#bob")
        get(alice, "message#x")
        calls = standin.calls()
        self.assertEqual([call["user"] for call in calls], ["Alice", "Alice", "ghost", None, None, "Alice", None, None])
        self.assertEqual((calls[0]["params"]["TableName"], calls[0]["params"]["Key"]), ("ledger", {"id": {"S": alice}}))
        standin.faults({"match": {"service": "dynamodb", "user": "Alice"}, "effect": "throttle"})
        self.assert_refused(400, "ThrottlingException", self.update, item=alice)
        self.update(item=f"user#{HOME}#ghost")


def _typed(value: str | int | list[Any]) -> dict[str, Any]:
    if isinstance(value, list):
        return {"L": [_typed(item) for item in value]}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


class Findings(StandinTest):
    ASFF: ClassVar = {"Id": "finding/1", "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/securityhub"}
    OCSF: ClassVar = {"CloudAccountUid": HOME, "FindingInfoUid": "finding/1", "MetadataProductUid": "product"}

    def seed(self) -> None:
        standin.settings(accept_unknown_findings=False)
        ocsf = {
            "class_uid": 2003,
            "metadata": {"uid": "uid-1", "product": {"uid": "product"}},
            "cloud": {"account": {"uid": HOME}},
            "finding_info": {"uid": "finding/1"},
        }
        standin.seed(findings=[{**self.ASFF, "Resources": [{}]}, ocsf])

    def test_updates_are_taken_and_recorded(self) -> None:
        hub = self.client("securityhub")
        answer = hub.batch_update_findings(
            FindingIdentifiers=[self.ASFF], Workflow={"Status": "NOTIFIED"}, Note={"Text": "t", "UpdatedBy": "u"}
        )
        self.assertEqual((answer["ProcessedFindings"], answer["UnprocessedFindings"]), ([self.ASFF], []))
        answer = hub.batch_update_findings_v2(FindingIdentifiers=[self.OCSF], StatusId=2, Comment="c")
        self.assertEqual(answer["ProcessedFindings"], [{"FindingIdentifier": self.OCSF}])
        first, second = standin.finding_updates()
        self.assertEqual(
            first["changes"], {"Workflow": {"Status": "NOTIFIED"}, "Note": {"Text": "t", "UpdatedBy": "u"}}
        )
        self.assertEqual(
            (second["api"], second["changes"]), ("BatchUpdateFindingsV2", {"comment": "c", "status_id": 2})
        )

    def test_unknown_findings_can_be_left_unprocessed(self) -> None:
        self.seed()
        hub = self.client("securityhub")
        unknown = {**self.ASFF, "Id": "finding/2"}
        answer = hub.batch_update_findings(FindingIdentifiers=[self.ASFF, unknown], Workflow={"Status": "RESOLVED"})
        self.assertEqual(answer["ProcessedFindings"], [self.ASFF])
        self.assertEqual(
            [(u["FindingIdentifier"], u["ErrorCode"]) for u in answer["UnprocessedFindings"]],
            [(unknown, "FindingNotFound")],
        )
        self.assertEqual(hub.get_findings()["Findings"][0]["Workflow"], {"Status": "RESOLVED"})
        answer = hub.batch_update_findings_v2(MetadataUids=["uid-1", "uid-2"], StatusId=4)
        self.assertEqual(answer["ProcessedFindings"], [{"MetadataUid": "uid-1"}])
        self.assertEqual(answer["UnprocessedFindings"][0]["ErrorCode"], "ResourceNotFoundException")
        self.assertTrue(hub.batch_update_findings_v2(FindingIdentifiers=[self.OCSF], StatusId=4)["ProcessedFindings"])

    def test_wrong_requests_are_refused_and_not_recorded(self) -> None:
        hub = standin.boto3("securityhub", parameter_validation=False)
        for arguments in (
            {"FindingIdentifiers": []},
            {"FindingIdentifiers": [self.ASFF] * 101},
            {"FindingIdentifiers": [{"Id": "x"}]},
            {"FindingIdentifiers": [self.ASFF], "Note": {"Text": "no author"}},
            {"FindingIdentifiers": [self.ASFF], "Workflow": {"Status": "DONE"}},
        ):
            self.assert_refused(400, "InvalidInputException", hub.batch_update_findings, **arguments)
        for arguments in (
            {},
            {"MetadataUids": ["a"], "FindingIdentifiers": [self.OCSF]},
            {"MetadataUids": ["a"], "StatusId": 7},
            {"MetadataUids": ["a"], "Comment": "x" * 513},
        ):
            self.assert_refused(400, "ValidationException", hub.batch_update_findings_v2, **arguments)
        self.assertEqual(standin.finding_updates(), [])


class Imports(StandinTest):
    PRODUCT = f"arn:aws:securityhub:us-east-1:{HOME}:product/{HOME}/default"

    def setUp(self) -> None:
        super().setUp()
        self.hub = self.client("securityhub")
        self._second = 0

    def finding(self, **changes: Any) -> dict[str, Any]:
        # Later than those before it.
        self._second += 1
        return {
            "SchemaVersion": "2018-10-08",
            "Id": "own/alice",
            "ProductArn": self.PRODUCT,
            "GeneratorId": "own",
            "AwsAccountId": HOME,
            "CreatedAt": "2026-01-01T00:00:00Z",
            "UpdatedAt": f"2026-01-01T00:00:{self._second:02}Z",
            "Severity": {"Label": "MEDIUM"},
            "Title": "title",
            "Description": "description",
            "Resources": [{"Type": "AwsIamUser", "Id": "alice"}],
            "Compliance": {"Status": "FAILED"},
            "RecordState": "ACTIVE",
            **changes,
        }

    def put(self, **changes: Any) -> dict[str, Any]:
        return self.hub.batch_import_findings(Findings=[self.finding(**changes)])

    def update(self, finding_id: str = "own/alice", **changes: Any) -> None:
        identifier = {"Id": finding_id, "ProductArn": self.PRODUCT}
        self.hub.batch_update_findings(FindingIdentifiers=[identifier], **changes)

    def only(self) -> dict[str, Any]:
        (finding,) = self.hub.get_findings()["Findings"]
        return finding

    def test_a_finding_is_new_and_says_where_it_is_from(self) -> None:
        self.assertEqual(self.put()["SuccessCount"], 1)
        finding = self.only()
        self.assertEqual((finding["Workflow"], finding["RecordState"]), ({"Status": "NEW"}, "ACTIVE"))
        self.assertEqual((finding["ProductName"], finding["CompanyName"]), ("Default", "Personal"))
        self.assertEqual(finding["ProductFields"]["aws/securityhub/FindingId"], f"{self.PRODUCT}/own/alice")
        self.assertEqual(finding["FindingProviderFields"]["Severity"], {"Label": "MEDIUM"})

    def test_an_import_brings_a_finding_up_to_date_but_not_what_its_customers_wrote(self) -> None:
        self.put()
        note = {"Text": "mine", "UpdatedBy": "alice"}
        self.update(
            Note=note, Workflow={"Status": "SUPPRESSED"}, UserDefinedFields={"a": "b"}, Severity={"Label": "LOW"}
        )
        self.put(Title="other", Workflow={"Status": "NEW"}, Severity={"Label": "HIGH"}, UserDefinedFields={"a": "c"})
        finding = self.only()
        self.assertEqual((finding["Title"], finding["Workflow"]["Status"]), ("other", "SUPPRESSED"))
        self.assertEqual((finding["Note"]["Text"], finding["UserDefinedFields"]), ("mine", {"a": "b"}))
        self.assertEqual(finding["Severity"]["Label"], "LOW")
        self.assertEqual(finding["FindingProviderFields"]["Severity"], {"Label": "HIGH"})

    def test_an_import_that_is_not_newer_changes_nothing(self) -> None:
        self.put()
        answer = self.put(Title="old", UpdatedAt="2026-01-01T00:00:01Z")
        self.assertEqual((answer["SuccessCount"], self.only()["Title"]), (1, "title"))
        self.assertEqual(len(standin.finding_events()), 1)

    def test_a_finding_that_fails_again_or_is_active_again_is_new_unless_suppressed(self) -> None:
        passed, archived = {"Compliance": {"Status": "PASSED"}}, {"RecordState": "ARCHIVED"}
        for number, (before, after, was, expected) in enumerate(
            [
                (passed, {}, "RESOLVED", "NEW"),
                (passed, {"Compliance": {"Status": "WARNING"}}, "NOTIFIED", "NEW"),
                (passed, {}, "SUPPRESSED", "SUPPRESSED"),
                (passed, passed, "RESOLVED", "RESOLVED"),
                ({"Compliance": {"Status": "WARNING"}}, {}, "RESOLVED", "RESOLVED"),
                (archived, {}, "RESOLVED", "NEW"),
                (archived, {}, "SUPPRESSED", "SUPPRESSED"),
                (archived, archived, "NOTIFIED", "NOTIFIED"),
                ({}, passed, "NOTIFIED", "NOTIFIED"),
            ]
        ):
            name = f"own/{number}"
            self.put(Id=name, **before)
            self.update(name, Workflow={"Status": was})
            self.put(Id=name, **after)
            (finding,) = (found for found in standin.findings() if found["Id"] == name)
            self.assertEqual(finding["Workflow"]["Status"], expected, number)

    def test_findings_of_others_and_findings_that_lack_something_are_refused_one_by_one(self) -> None:
        other = "arn:aws:securityhub:us-east-1::product/aws/config"
        answer = self.hub.batch_import_findings(
            Findings=[
                self.finding(AwsAccountId="200000000002"),
                self.finding(ProductArn=other),
                self.finding(Title="x" * 257),
                self.finding(UpdatedAt="yesterday"),
                self.finding(Resources=[]),
                self.finding(ProductFields={"aws/x": "y"}),
                self.finding(Severity={}),
                self.finding(Id="own/bob"),
            ]
        )
        self.assertEqual((answer["FailedCount"], answer["SuccessCount"]), (7, 1))
        self.assertEqual({failed["ErrorCode"] for failed in answer["FailedFindings"]}, {"InvalidInput"})
        self.assertEqual(self.only()["Id"], "own/bob")
        hub = standin.boto3("securityhub", parameter_validation=False)
        for findings in ([], [self.finding()] * 101):
            self.assert_refused(400, "InvalidInputException", hub.batch_import_findings, Findings=findings)

    def test_filters_are_all_to_hold_and_pages_follow_each_other(self) -> None:
        for number in range(5):
            self.put(Id=f"own/{number}", RecordState="ACTIVE" if number else "ARCHIVED")
        self.put(Id="other/1", GeneratorId="other")

        def equals(*values: str) -> list[dict[str, str]]:
            return [{"Value": value, "Comparison": "EQUALS"} for value in values]

        def found(**filters: Any) -> list[str]:
            pages = self.hub.get_paginator("get_findings").paginate(Filters=filters, PaginationConfig={"PageSize": 2})
            return [finding["Id"] for page in pages for finding in page["Findings"]]

        own = {"GeneratorId": equals("own"), "AwsAccountId": equals(HOME)}
        self.assertEqual(found(**own, RecordState=equals("ACTIVE")), [f"own/{number}" for number in range(1, 5)])
        self.assertEqual(found(**own, RecordState=equals("ARCHIVED")), ["own/0"])
        self.assertEqual(len(found(GeneratorId=equals("own", "other"))), 6)
        self.assertEqual(found(AwsAccountId=equals("200000000002")), [])
        self.assert_refused(400, "InvalidInputException", self.hub.get_findings, MaxResults=101)
        prefix = {"GeneratorId": [{"Value": "o", "Comparison": "PREFIX"}]}
        self.assert_refused(501, "NotImplemented", self.hub.get_findings, Filters=prefix)

    def test_each_import_and_each_update_is_an_event(self) -> None:
        self.put()
        self.update(Workflow={"Status": "NOTIFIED"})
        events = standin.finding_events(HOME)
        self.assertEqual([event["Workflow"]["Status"] for event in events], ["NEW", "NOTIFIED"])
        self.assertEqual(standin.finding_events("200000000002"), [])

    def test_members_are_those_that_are_enabled_and_come_in_pages(self) -> None:
        accounts = [f"{number:012}" for number in range(300_000_000_000, 300_000_000_120)]
        standin.seed(members={**dict.fromkeys(accounts, "ENABLED"), "300000000999": "REMOVED"})
        pages = self.hub.get_paginator("list_members").paginate(OnlyAssociated=True)
        self.assertEqual([m["AccountId"] for page in pages for m in page["Members"]], accounts)
        pages = self.hub.get_paginator("list_members").paginate(OnlyAssociated=False)
        self.assertEqual(sum(len(page["Members"]) for page in pages), 121)
        self.assertEqual(len(self.hub.list_members(MaxResults=3)["Members"]), 3)

    def test_an_account_without_security_hub_is_refused_everything(self) -> None:
        standin.seed(security_hub=False)
        for call in (
            lambda: self.hub.get_findings(),
            lambda: self.hub.list_members(),
            lambda: self.put(),
            lambda: self.update(Workflow={"Status": "NEW"}),
        ):
            self.assert_refused(401, "InvalidAccessException", call)
        standin.seed(security_hub=True)
        self.put()


class Passage(StandinTest):
    def row(self) -> dict[str, str]:
        self.iam.generate_credential_report()
        content = self.iam.get_credential_report()["Content"].decode()
        return next(row for row in csv.DictReader(io.StringIO(content)) if row["user"] == "alice")

    def age(self, text: str) -> int:
        return (datetime.now(timezone.utc) - datetime.fromisoformat(text.replace("Z", "+00:00"))).days

    def test_users_and_the_report_grow_older(self) -> None:
        user = {"name": "alice", "password": GOOD, "age_days": 10, "signed_in_days_ago": 4, "mfa": True}
        standin.seed(users=[user], generate_report=True)
        standin.let_pass(3)
        self.assert_refused(410, "ReportExpired", self.iam.get_credential_report)
        row = self.row()
        self.assertEqual((self.age(row["password_last_changed"]), self.age(row["password_last_used"])), (13, 7))
        self.assertEqual(row["mfa_active"], "true")

    def test_secrets_grow_older_and_are_deleted_when_their_time_is_over(self) -> None:
        for name, window in (("s/seven", 7), ("s/thirty", 30)):
            self.secrets.create_secret(Name=name)
            answer = self.secrets.delete_secret(SecretId=name, RecoveryWindowInDays=window)
            self.assertEqual((answer["DeletionDate"].date() - datetime.now(timezone.utc).date()).days, window)
        self.assertEqual(self.secrets.list_secrets()["SecretList"], [])
        standin.let_pass(6)
        listed = self.secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]
        self.assertEqual([(s["Name"], "DeletedDate" in s) for s in listed], [("s/seven", True), ("s/thirty", True)])
        standin.let_pass(1)
        self.assertEqual([secret["name"] for secret in standin.secrets()], ["s/thirty"])
        for window in (6, 31):
            refused = {"SecretId": "s/thirty", "RecoveryWindowInDays": window}
            self.secrets.restore_secret(SecretId="s/thirty")
            self.assert_refused(400, "InvalidParameterException", self.secrets.delete_secret, **refused)

    def test_findings_grow_older(self) -> None:
        standin.seed(
            findings=[
                {
                    **Findings.ASFF,
                    "UpdatedAt": "2026-03-09T10:00:00.250000Z",
                    "ProductFields": {"due": "2026-03-10T00:00:00Z", "limit": "90"},
                    "Resources": [{}],
                }
            ]
        )
        standin.let_pass(9)
        (finding,) = standin.findings()
        self.assertEqual(finding["UpdatedAt"], "2026-02-28T10:00:00.250000Z")
        self.assertEqual(finding["ProductFields"], {"due": "2026-03-01T00:00:00Z", "limit": "90"})

    def test_ledgers_grow_older(self) -> None:
        standin.seed(tables=[{"name": "ledger"}])
        for item in (
            {"id": {"S": f"user#{HOME}#alice"}, "changed_at": {"N": "864000000"}, "warned_days": {"N": "14"}},
            {"id": {"S": "note#a#b#2026-03-09"}, "expires": {"N": "864000"}},
        ):
            self.client("dynamodb").put_item(TableName="ledger", Item=item)
        standin.let_pass(9)
        user, note = sorted(standin.ledger(), key=lambda item: item["id"], reverse=True)
        self.assertEqual((user["changed_at"], user["warned_days"]), (86_400_000, 14))
        self.assertEqual(note, {"id": "note#a#b#2026-02-28", "expires": 86_400})


class Messages(StandinTest):
    def setUp(self) -> None:
        super().setUp()
        self.topic = standin.seed(topics=[{"name": "topic"}])["topics"]["topic"]

    def publish(self, message: Any, **more: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.client("sns").publish(**{"TopicArn": self.topic, "Message": text, **more})

    def test_messages_are_recorded_with_their_attributes(self) -> None:
        self.publish(
            {"default": "d", "email": "e"},
            MessageStructure="json",
            Subject="Hello",
            MessageAttributes={"user_name": {"DataType": "String", "StringValue": "alice"}},
        )
        (message,) = standin.messages(user_name="alice")
        self.assertEqual(
            (message["bodies"], message["subject"], message["call"]), ({"default": "d", "email": "e"}, "Hello", 1)
        )
        self.assertEqual(standin.messages(user_name="bob"), [])
        self.assertEqual(standin.calls("Publish")[0]["user"], "alice")

    def test_a_structured_message_needs_a_default(self) -> None:
        for message in ("no json", "[]", '"x"', {"email": "e"}, {"default": {"a": 1}}):
            with self.subTest(message):
                self.assert_refused(400, "InvalidParameter", self.publish, message, MessageStructure="json")
        self.assertEqual(standin.messages(), [])

    def test_subjects_are_short_single_lines(self) -> None:
        self.publish("m", Subject="\N{KEY}" * 50)
        for subject in ("x" * 101, "\N{KEY}" * 51, "two\nlines", "a\u2028b", "bell\a", ""):
            self.assert_refused(400, "InvalidParameter", self.publish, "m", Subject=subject)
        self.assertEqual(len(standin.messages()), 1)

    def test_topics_must_exist_and_messages_must_fit(self) -> None:
        self.assert_refused(404, "NotFound", self.publish, "m", TopicArn=f"{self.topic}-2")
        self.assert_refused(400, "InvalidParameter", self.publish, "x" * (256 * 1024 + 1))
        empty = {"k": {"DataType": "String", "StringValue": ""}}
        self.assert_refused(400, "InvalidParameter", self.publish, "m", MessageAttributes=empty)

    def test_subscribers_get_what_their_filter_wants_in_their_words(self) -> None:
        seeded = standin.seed(
            queues=[{"name": "programs"}],
            topics=[
                {
                    "name": "filtered",
                    "subscriptions": [
                        {
                            "protocol": "email",
                            "endpoint": "alice@example.org",
                            "filter_policy": {"user_name": ["alice"]},
                        },
                        {"protocol": "email", "endpoint": "bob@example.org", "filter_policy": {"user_name": ["bob"]}},
                        {"protocol": "sqs", "endpoint": f"arn:aws:sqs:us-east-1:{HOME}:programs"},
                    ],
                }
            ],
        )
        self.publish(
            {"default": "d", "email": "e"},
            TopicArn=seeded["topics"]["filtered"],
            MessageStructure="json",
            MessageAttributes={"user_name": {"DataType": "String", "StringValue": "alice"}},
        )
        self.assertEqual(
            [(d["endpoint"].rpartition(":")[2], d["body"]) for d in standin.messages()[0]["deliveries"]],
            [("alice@example.org", "e"), ("programs", "d")],
        )
        (queue,) = standin.queues()
        self.assertEqual(json.loads(queue["messages"][0]["body"])["Message"], "d")

    def test_queues_take_batches(self) -> None:
        url = standin.seed(queues=[{"name": "jobs"}])["queues"]["jobs"]["url"]
        entries = [{"Id": str(n), "MessageBody": f"body {n}"} for n in range(10)]
        self.assertEqual(len(self.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)["Successful"]), 10)
        self.assertEqual([m["body"] for m in standin.queues()[0]["messages"]], [e["MessageBody"] for e in entries])


class Accounts(StandinTest):
    OTHER = "210987654321"

    def test_a_session_of_a_role_acts_in_the_roles_account(self) -> None:
        role = standin.seed(account_id=self.OTHER, users=[{"name": "carol"}], roles=[{"name": "member"}])["roles"][
            "member"
        ]
        credentials = self.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
        member = standin.boto3("iam", credentials["AccessKeyId"], session_token=credentials["SessionToken"])
        self.assertIn(self.OTHER, member.get_user(UserName="carol")["User"]["Arn"])
        self.assert_refused(404, "NoSuchEntity", self.iam.get_user, UserName="carol")
        call = standin.calls("GetUser")[0]
        self.assertEqual(
            (call["account_id"], call["principal"]), (self.OTHER, f"arn:aws:sts::{self.OTHER}:assumed-role/member/me")
        )

    def test_an_accounts_own_credentials_may_say_whose_they_are(self) -> None:
        standin.seed(account_id=self.OTHER, users=[{"name": "carol"}])
        for access_key, principal in ((self.OTHER, None), (f"{self.OTHER}-audit", "audit")):
            iam = standin.boto3("iam", access_key)
            self.assertIn(self.OTHER, iam.get_user(UserName="carol")["User"]["Arn"])
            call = standin.calls("GetUser")[-1]
            self.assertEqual((call["account_id"], call["principal"]), (self.OTHER, principal))

    def test_a_role_that_does_not_exist_cannot_be_assumed(self) -> None:
        self.assert_refused(
            403,
            "AccessDenied",
            self.client("sts").assume_role,
            RoleArn=f"arn:aws:iam::{self.OTHER}:role/none",
            RoleSessionName="me",
        )

    def test_the_partition_can_be_another(self) -> None:
        standin.seed(account_id=self.OTHER, region="cn-north-1", users=[{"name": "carol"}])
        china = standin.boto3("iam", self.OTHER, region="cn-north-1")
        self.assertEqual(china.get_user(UserName="carol")["User"]["Arn"], f"arn:aws-cn:iam::{self.OTHER}:user/carol")


class Promise(StandinTest):
    def secret(self, value: str, **more: Any) -> None:
        self.client("secretsmanager").create_secret(
            Name="s/alice",
            SecretString=json.dumps({"username": "alice", "password": value, "account_id": HOME}),
            **more,
        )

    def reset(self) -> None:
        self.iam.update_login_profile(UserName="alice", Password=GOOD)

    def test_a_password_that_nobody_can_read_is_a_violation(self) -> None:
        standin.seed(users=[{"name": "alice"}, {"name": "bob"}])
        self.assertEqual(standin.invariant()["now"], [])
        self.reset()
        self.assertEqual([(v["user"], v["working_password"]) for v in standin.invariant()["now"]], [("alice", GOOD)])

    def test_a_labelled_version_keeps_it_while_it_is_labelled_and_not_deleted(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        self.secret(GOOD, ClientRequestToken=TOKEN_A)
        self.reset()
        self.assertEqual(standin.invariant()["now"], [])
        for token in (TOKEN_B, TOKEN_C):
            self.secrets.put_secret_value(
                SecretId="s/alice", ClientRequestToken=token, SecretString='{"username":"alice"}'
            )
        self.assertEqual(len(standin.invariant()["now"]), 1)

    def test_each_call_is_watched(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        standin.settings(watch=True)
        self.reset()
        self.secret(GOOD, Tags=[{"Key": "iam-user", "Value": "alice"}, {"Key": "account-id", "Value": HOME}])
        self.assertEqual(standin.invariant()["now"], [])
        self.secrets.delete_secret(SecretId="s/alice")
        report = standin.invariant()
        self.assertEqual([v["call"] for v in report["watched"]], [1, 3])
        self.assertEqual(len(report["now"]), 1)

    def test_a_secret_that_changes_hands_is_noticed(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        standin.settings(watch=True)
        self.secret(GOOD, Tags=[{"Key": "iam-user", "Value": "alice"}])
        self.reset()
        self.secrets.tag_resource(SecretId="s/alice", Tags=[{"Key": "iam-user", "Value": "bob"}])
        self.assertEqual([v["call"] for v in standin.invariant()["watched"]], [3])

    def test_what_the_user_chose_they_know(self) -> None:
        standin.seed(users=[{"name": "alice", "attached_policies": ["IAMUserChangePassword"]}])
        self.reset()
        standin.sign_in("alice", GOOD, "My-Own-Pass-1")
        self.assertEqual(standin.invariant()["now"], [])
        self.assertLessEqual({GOOD, "My-Own-Pass-1"}, set(standin.passwords()))

    def test_a_placeholder_is_no_password(self) -> None:
        standin.seed(users=[{"name": "alice", "password": GOOD}])
        self.secrets.create_secret(Name="s/alice", SecretString='{"username": "alice", "password": null}')
        self.assertEqual(standin.passwords(), [GOOD])


class Log(StandinTest):
    def test_calls_are_numbered_and_hold_no_secret(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        self.iam.get_user(UserName="alice")
        self.iam.update_login_profile(UserName="alice", Password=GOOD)
        self.secrets.create_secret(Name="n", SecretString=GOOD)
        with self.assertRaises(ClientError):
            self.secrets.get_secret_value(SecretId="none")
        calls = standin.calls()
        self.assertEqual(
            [(c["n"], c["service"], c["operation"], c["user"], c["status"], c["code"]) for c in calls],
            [
                (1, "iam", "GetUser", "alice", 200, None),
                (2, "iam", "UpdateLoginProfile", "alice", 200, None),
                (3, "secretsmanager", "CreateSecret", None, 200, None),
                (4, "secretsmanager", "GetSecretValue", None, 400, "ResourceNotFoundException"),
            ],
        )
        self.assertEqual((calls[1]["params"]["Password"], calls[2]["params"]["SecretString"]), ("REDACTED",) * 2)
        self.assertNotIn(GOOD, json.dumps(calls))
        self.assertEqual({c["state"] for c in calls}, {"finished"})
        self.assertEqual([c["n"] for c in standin.calls(after=3)], [4])

    def test_reset_forgets_everything(self) -> None:
        standin.seed(users=[{"name": "alice"}])
        standin.settings(watch=True, latency_ms=1)
        standin.faults({"effect": "throttle"})
        standin.reset()
        self.assert_refused(404, "NoSuchEntity", self.iam.get_user, UserName="alice")
        state = standin.state()
        self.assertEqual((state["users"], state["faults"], state["settings"]["watch"]), ([], [], False))
        self.assertEqual(len(state["calls"]), 1)

    def test_mistakes_at_the_control_api_are_named(self) -> None:
        for mistake in (
            lambda: standin.seed(user=[]),
            lambda: standin.seed(users=[{"name": "a", "pasword": "x"}]),
            lambda: standin.seed(users=[{"name": "a b"}]),
            lambda: standin.seed(password_policy={"MaxPasswordAge": 0}),
            lambda: standin.seed(users=[{"name": "a", "report_row": {"nope": "x"}}]),
            lambda: standin.settings(wach=True),
            lambda: standin.settings(watch="yes"),
            lambda: standin.settings(report_polls=True),
            lambda: standin.faults({"effect": "explode"}),
            lambda: standin.faults({"match": {"op": "x"}, "effect": "throttle"}),
            lambda: standin.user("nobody"),
        ):
            with self.assertRaises(ControlError):
                mistake()

    def test_unsigned_and_unknown_requests_are_refused(self) -> None:
        self.assert_refused(501, "NotImplemented", standin.boto3("ec2").describe_instances)
        unsigned = standin.boto3("iam", signature_version=UNSIGNED)
        self.assert_refused(403, "MissingAuthenticationToken", unsigned.get_user, UserName="alice")

    def test_header_names_may_be_in_lower_case_and_connections_are_kept(self) -> None:
        connection = http.client.HTTPConnection(standin.url.removeprefix("http://"))
        headers = {
            "authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/secretsmanager/aws4_request, Sig",
            "x-amz-target": "secretsmanager.ListSecrets",
            "content-type": "application/x-amz-json-1.1",
        }
        for _ in range(2):
            connection.request("POST", "/", "{}", headers)
            socket = connection.sock
            answer = connection.getresponse()
            self.assertEqual((answer.status, json.load(answer)["SecretList"]), (200, []))
            self.assertIs(connection.sock, socket)
        connection.close()
        self.assertEqual([(c["operation"], c["region"]) for c in standin.calls()], [("ListSecrets", "eu-west-1")] * 2)


class Faults(StandinTest):
    def setUp(self) -> None:
        super().setUp()
        standin.seed(users=[{"name": "alice"}, {"name": "bob"}], topics=[{"name": "topic"}])

    def reset(self, user: str = "alice") -> None:
        self.iam.update_login_profile(UserName=user, Password=GOOD)

    def is_reset(self, user: str = "alice") -> bool:
        return standin.user(user)["password"] == GOOD

    def test_errors_come_in_the_words_of_each_service(self) -> None:
        calls = {
            "dynamodb": lambda: self.client("dynamodb").list_tables(),
            "iam": lambda: self.iam.list_users(),
            "secretsmanager": lambda: self.secrets.list_secrets(),
            "securityhub": lambda: self.client("securityhub").get_findings(),
            "sns": lambda: self.client("sns").list_topics(),
            "sqs": lambda: self.client("sqs").list_queues(),
            "sts": lambda: self.client("sts").get_caller_identity(),
        }
        denied = {
            "dynamodb": (400, "AccessDeniedException"),
            "iam": (403, "AccessDenied"),
            "secretsmanager": (400, "AccessDeniedException"),
            "securityhub": (403, "AccessDeniedException"),
            "sns": (403, "AuthorizationError"),
            "sqs": (403, "AccessDeniedException"),
            "sts": (403, "AccessDenied"),
        }
        throttled = {
            **dict.fromkeys(calls, (400, "Throttling")),
            "dynamodb": (400, "ThrottlingException"),
            "secretsmanager": (400, "ThrottlingException"),
            "securityhub": (429, "ThrottlingException"),
            "sqs": (400, "ThrottlingException"),
        }
        for service, call in calls.items():
            with self.subTest(service):
                standin.faults({"match": {"service": service}, "effect": "access_denied"})
                self.assert_refused(*denied[service], call)
                standin.faults({"match": {"service": service}, "effect": "throttle"})
                self.assert_refused(*throttled[service], call)
                error = {"status": 409, "code": "Odd", "message": "a < b"}
                standin.faults({"match": {"service": service}, "effect": {"error": error}})
                self.assertEqual(self.assert_refused(409, "Odd", call), "a < b")
                standin.faults()
                call()

    def test_rules_count_and_choose(self) -> None:
        standin.faults(
            {"match": {"operation": "UpdateLoginProfile", "user": "alice", "nth": 2}, "effect": "throttle"},
            {"match": {"user": "bob", "nth": 1}, "effect": "throttle"},
        )
        self.reset()
        self.assert_refused(400, "Throttling", self.reset)
        self.reset()
        self.assert_refused(400, "Throttling", self.reset, "bob")
        self.reset("bob")
        self.assertEqual([(rule["seen"], rule["fired"]) for rule in standin.fault_report()], [(3, 1), (2, 1)])

    def test_a_request_can_get_lost_before_and_its_answer_after(self) -> None:
        standin.faults(
            {"match": {"user": "alice"}, "effect": "drop_before"}, {"match": {"user": "bob"}, "effect": "drop_after"}
        )
        for user, done in (("alice", False), ("bob", True)):
            with self.assertRaises(ConnectionClosedError):
                self.reset(user)
            self.assertEqual(self.is_reset(user), done)
        self.assertEqual(
            [(c["code"], c["fault"]) for c in standin.calls()],
            [("NoAnswer", "drop_before"), ("NoAnswer", "drop_after")],
        )

    def test_an_error_can_hide_that_the_work_was_done(self) -> None:
        failure = {"status": 500, "code": "ServiceFailure", "message": "?"}
        standin.faults({"effect": {"error": failure}})
        self.assert_refused(500, "ServiceFailure", self.reset)
        self.assertFalse(self.is_reset())
        standin.faults({"effect": {"error_after": failure}})
        self.assert_refused(500, "ServiceFailure", self.reset)
        self.assertTrue(self.is_reset())

    def test_a_page_of_html_is_no_answer(self) -> None:
        standin.faults({"effect": "html"})
        self.assert_refused(503, "503", self.reset)
        self.assertEqual(standin.calls()[0]["status"], 503)
        self.assertFalse(self.is_reset())

    def test_latency_is_spent_side_by_side(self) -> None:
        standin.settings(latency_ms=200)
        standin.faults({"match": {"service": "iam"}, "effect": {"latency_ms": 200}})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: self.iam.list_users(), range(4)))
        calls = standin.calls()
        self.assertLess(max(c["at_ms"] for c in calls), min(c["finished_ms"] for c in calls))
        self.assertGreaterEqual(min(c["finished_ms"] - c["at_ms"] for c in calls), 400)

    def test_latency_joins_another_fault(self) -> None:
        standin.faults({"effect": {"latency_ms": 50}}, {"effect": "throttle"})
        started = time.monotonic()
        self.assert_refused(400, "Throttling", self.reset)
        self.assertGreaterEqual(time.monotonic() - started, 0.05)

    def test_a_process_is_killed_at_the_very_call(self) -> None:
        for effect, done in (("kill_before", False), ("kill_after", True)):
            with self.subTest(effect), subprocess.Popen(["sleep", "600"]) as process:
                standin.faults({"match": {"user": "alice"}, "effect": {effect: process.pid}})
                self.assertRaises(ConnectionClosedError, self.reset)
                self.assertEqual(process.wait(60), -signal.SIGKILL)
                self.assertEqual(self.is_reset(), done)
                self.assertEqual(standin.fault_report()[0]["fired"], 1)

    def test_many_callers_do_no_harm(self) -> None:
        standin.seed(users=[{"name": f"user-{n}"} for n in range(16)])
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(self.reset, [f"user-{n}" for n in range(16)] * 4))
        self.assertEqual([c["n"] for c in standin.calls()], list(range(1, 65)))
        self.assertEqual({c["status"] for c in standin.calls()}, {200})


if __name__ == "__main__":
    unittest.main()
