"""Shows the function at work: the real binary, under cargo-lambda's emulator, on an AWS account that is made up.

    .venv/bin/python tests/demo/demo.py --binary target/lambda/iam-password-remediator/bootstrap

Each scene checks what it shows; the demo exits with 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

# In place of this directory, in which `demo` would be this file.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from demo.account import (  # noqa: E402
    AGES,
    FUNCTION,
    POLICY_FIELDS,
    STRONG_POLICY,
    environment,
    fill,
    find_binary,
    own_events,
    password_policy,
    sample,
    users,
)
from demo.terminal import (  # noqa: E402
    Terminal,
    masked,
    show_finding_updates,
    show_message,
    show_secrets,
)
from standin.client import Standin  # noqa: E402
from standin.runtime import FunctionHost, Invocation, function_host  # noqa: E402

GRACE_DAYS = 7
CHOSEN = "Of-My-Own-Choice-7"
WARNED = "alice is warned: 14 days are left"
WARNED_AGAIN = "alice is warned once more: three days are left"
FOUND = "the audit raises a finding: the password is too old"
IN_GRACE = "its event: alice has to change it at the next sign-in, and is told until when"
RESET = "grace is over, the finding is new again; its event resets the password"
REMINDED = "alice has not used the new password and is reminded"
RESOLVED = "the audit sees that alice has chosen: the finding is RESOLVED"
TIDIED = "the secret, which nobody needs any more, is scheduled for deletion"
GONE = "the secret is gone"
# On which day each of it comes about.
TWO_MONTHS = {
    WARNED: 6,
    WARNED_AGAIN: 17,
    FOUND: 20,
    IN_GRACE: 20,
    RESET: 27,
    REMINDED: 34,
    RESOLVED: 36,
    TIDIED: 36,
    GONE: 66,
}
TOLD = {"password-expiring": 2, "password-change-required": 1, "password-reset": 1, "password-unclaimed": 1}
_READS = ("Get", "BatchGet", "List", "Query", "Describe", "Simulate")


class Demo:
    """The stage: an account, the function, and somewhere to tell what happens."""

    def __init__(self, aws: Standin, function: FunctionHost, with_grace: FunctionHost):
        self.aws, self.function, self.with_grace, self.out = aws, function, with_grace, Terminal()
        self._passwords: set[str] = set()

    def run(self) -> bool:
        """All scenes. Whether everything was as it should be."""
        self._fresh_account()
        self.reset()
        self.sign_in()
        self.again()
        self.exempt()
        self.dry_run()
        self._curtain()
        self._fresh_account(users=users({**AGES, "alice": 5}), password_policy=STRONG_POLICY)
        self.custom_action()
        self._curtain()
        self._fresh_account()
        self.iam7()
        self._curtain()
        self._fresh_account()
        self.held()
        self._curtain()
        self._fresh_account(password_policy=STRONG_POLICY)
        self.crash()
        self._curtain()
        self._fresh_account(users=users({"alice": 70}), password_policy=STRONG_POLICY)
        self.two_months()
        self._curtain(alice_has_chosen=True)
        return self._verdict()

    def reset(self) -> None:
        """The main job: a finding comes in, a user gets a new password."""
        event = sample("password-age-imported.json")
        finding = event["detail"]["findings"][0]
        self.out.heading("1. A finding: alice's password is too old", "events/password-age-imported.json")
        self._show_finding(finding)
        self.out.title("What IAM says")
        self.out.facts({"age of alice's password": f"{self._age('alice')} days; 90 are allowed"})

        before = self.aws.user("alice")["password"]
        answer = self._answer(event)
        self._show_users(answer)
        show_secrets(self.out, self.aws.secrets())
        self.out.quote(
            "The first version of a secret holds no password. It is current until a password is known to work."
        )
        (message,) = self.aws.messages()
        show_message(self.out, message)
        show_finding_updates(self.out, self.aws.finding_updates())

        self.out.line()
        self.out.check("alice's password was reset", self._statuses(answer) == {"alice": "reset"})
        self.out.check("what is stored is what works", self._stored_is_working("alice"))
        self.out.check("the old password no longer works", not self.aws.sign_in("alice", before)["works"])
        self.out.check("the message says where the password is, not what it is", not self._is_in_messages("alice"))
        workflows = [update["changes"]["Workflow"]["Status"] for update in self.aws.finding_updates()]
        self.out.check("the finding's workflow is NOTIFIED", workflows == ["NOTIFIED"])

    def sign_in(self) -> None:
        """The user does what the message says."""
        self.out.heading("2. alice signs in", "With the password from the secret, as the message told her to.")
        (secret,) = self.aws.secrets()
        (current,) = (version for version in secret["versions"] if "AWSCURRENT" in version["labels"])
        signed_in = self.aws.sign_in("alice", current["value"]["password"])
        self.out.facts({"she fetches": masked(current["value"]), "AWS answers": _in_words(signed_in)})
        self.out.check("the stored password lets her in", signed_in["works"])
        self.out.check("AWS asks her to choose her own", signed_in["change_required"])
        self.out.check("she is allowed to", signed_in["may_change"])

    def again(self) -> None:
        """EventBridge delivers at least once."""
        self.out.heading("3. The same event once more", "EventBridge and Security Hub deliver at least once.")
        before = self.aws.user("alice")["password"], len(self.aws.secrets()[0]["versions"])
        answer = self._answer(sample("password-age-imported.json"))
        self._show_users(answer)
        after = self.aws.user("alice")["password"], len(self.aws.secrets()[0]["versions"])
        self.out.check("alice is skipped: already-reset", self._statuses(answer) == {"alice": "skipped already-reset"})
        self.out.check("no second password", before == after)
        self.out.check("no second message", len(self.aws.messages()) == 1)

    def exempt(self) -> None:
        """Break-glass users."""
        self.out.heading("4. A user who is never touched", "events/password-age-exempt-user.json")
        self.out.facts({"breakglass": f"{self._age('breakglass')} days; tagged password-remediation=exempt"})
        answer = self._answer(sample("password-age-exempt-user.json"))
        self._show_users(answer)
        self.out.check("breakglass is skipped: exempt", self._statuses(answer) == {"breakglass": "skipped exempt"})
        self.out.check("the password still works", self._works_still("breakglass"))

    def dry_run(self) -> None:
        """What would happen?"""
        self.out.heading("5. A dry run", 'events/sweep-dry-run.json: {"action": "sweep", "dry_run": true}')
        first = len(self.aws.calls())
        answer = self._answer(sample("sweep-dry-run.json"))
        self._show_users(answer)
        calls = {call["operation"] for call in self.aws.calls(after=first)}
        writes = {name for name in calls if not name.startswith(_READS)}
        statuses = self._statuses(answer)
        self.out.check("bob and carol would be reset", statuses["bob"] == statuses["carol"] == "would-reset")
        self.out.check("their passwords still work", self._works_still("bob") and self._works_still("carol"))
        self.out.check(f"nothing was written: {len(calls)} kinds of calls, all of which read", not writes)

    def custom_action(self) -> None:
        """A person pressed the button."""
        event = sample("custom-action.json")
        explanation = (
            "events/custom-action.json: a person selected a finding in Security Hub and chose the action "
            f"'{event['detail']['actionName']}'. Age does not matter then."
        )
        self.out.heading("6. A custom action", explanation)
        self._show_finding(event["detail"]["findings"][0])
        self.out.title("What IAM says")
        self.out.facts({f"age of {name}'s password": f"{self._age(name)} days" for name in ("alice", "bob")})
        answer = self._answer(event)
        self._show_users(answer)
        self.out.check(
            "both are reset, alice too, whose password is fresh",
            self._statuses(answer) == {"alice": "reset", "bob": "reset"},
        )
        self.out.check(
            "what is stored is what works", self._stored_is_working("alice") and self._stored_is_working("bob")
        )

    def iam7(self) -> None:
        """The control that gave the project its name."""
        explanation = (
            "events/iam7-imported.json. IAM.7 judges the account's password policy, not a user: the policy is made "
            "stricter, and then everyone whose password is too old gets a new one."
        )
        self.out.heading("7. IAM.7: the password policy is too weak", explanation)
        event = sample("iam7-imported.json")
        finding = event["detail"]["findings"][0]
        self._show_finding(finding)
        asked = {p["Name"]: ", ".join(p["Value"]) for p in finding["Compliance"]["SecurityControlParameters"]}
        before = password_policy(self.aws)
        answer = self._answer(event)
        after = password_policy(self.aws)
        self.out.title("The policy")
        header = ("setting", "asked for", "before", "", "after")
        settings = ((name, asked.get(name, "-"), before[name], "->", after[name]) for name in POLICY_FIELDS)
        self.out.rows([header, *settings])
        self._show_users(answer)
        for message in self.aws.messages(kind="policy-strengthened"):
            show_message(self.out, message)
        show_finding_updates(self.out, self.aws.finding_updates())
        self.out.line()
        self.out.check("the policy is what IAM.7 asks for", all(asked[name].lower() == after[name] for name in asked))
        kept = "AllowUsersToChangePassword", "HardExpiry"
        self.out.check("nothing else about it has changed", all(before[name] == after[name] for name in kept))
        self.out.check(
            "three of five users are reset, one is exempt, one is fresh",
            self._statuses(answer)
            == {"alice": "reset", "bob": "reset", "carol": "reset", "breakglass": "skipped exempt"}
            and self._works_still("dave"),
        )
        workflows = [update["changes"]["Workflow"]["Status"] for update in self.aws.finding_updates()]
        self.out.check("the finding is RESOLVED", workflows == ["RESOLVED"])

    def held(self) -> None:
        """More than were allowed."""
        self.out.heading(
            "8. More resets than a person allowed", 'events/sweep-held.json: {"action": "sweep", "max_resets": 1}'
        )
        answer = self._answer(sample("sweep-held.json"))
        self._show_users(answer)
        (message,) = self.aws.messages(kind="sweep-held")
        show_message(self.out, message)
        stale = ("alice", "bob", "carol")
        self.out.line()
        self.out.check("all three are held", all(self._statuses(answer)[name] == "held" for name in stale))
        self.out.check("nobody was reset", all(self._works_still(name) for name in stale))

        command = _below(message["bodies"]["email"], "TO APPROVE IT")
        options = dict(pairwise(shlex.split(command)))
        self.out.title(f"An operator runs it: {options['--payload']}")
        self.out.check("it is for this function", options["--function-name"] == self.function.function_arn)
        answer = self._answer(json.loads(options["--payload"]))
        self._show_users(answer)
        self.out.check("now they are reset", all(self._statuses(answer)[name] == "reset" for name in stale))

    def crash(self) -> None:
        """kill -9 at the worst moment."""
        explanation = "The process is killed (kill -9) when IAM has set alice's new password and nobody has been told."
        self.out.heading("9. A crash between two calls", explanation)
        event = sample("password-age-imported.json")
        # The first such call demands a change at the next sign-in, the second one sets the password.
        second = {"operation": "UpdateLoginProfile", "user": "alice", "nth": 2}
        self.aws.faults({"match": second, "effect": {"kill_after": self.function.pid()}})
        error = self.function.invoke(event).error
        self.aws.faults()
        self.out.title("What Lambda sees")
        self.out.facts(error or {"error": "none"})
        show_secrets(self.out, self.aws.secrets())
        self.out.line()
        self.out.check("the process was killed", bool(error) and "SIGKILL" in error["errorMessage"])
        self.out.check("alice has not been told yet", not self.aws.messages())
        self.out.check("the password that works stands labelled in the secret", not self.aws.invariant()["now"])
        killed = self.aws.user("alice")["password"]

        self.out.title("The event is delivered again, to a fresh process, when the lease of the killed one is over")
        self.out.quote(
            "The new run cannot know whether IAM took the stored password. It sets it again. Here IAM refuses it,\n"
            "as used before (PasswordReusePrevention). So another one takes its place; nobody was told of the first."
        )
        self.aws.expire_leases()
        self.function.restart()
        answer = self._answer(event)
        self._show_users(answer)
        show_secrets(self.out, self.aws.secrets())
        versions = self.aws.secrets()[0]["versions"]
        self.out.line()
        self.out.check("the reset is finished", self._statuses(answer) == {"alice": "reset"})
        self.out.check("with another password", not self.aws.sign_in("alice", killed)["works"])
        self.out.check("what is stored is what works", self._stored_is_working("alice"))
        labels = {label for version in versions for label in version["labels"]}
        self.out.check("nothing is left half done", labels <= {"AWSCURRENT", "AWSPREVIOUS"})
        self.out.check("alice has been told once", len(self.aws.messages(user_name="alice")) == 1)

    def two_months(self) -> None:
        """A life with daily audits, whose findings lead to everything else."""
        self.out.heading(
            "10. Two months in fast motion",
            f"Each morning an audit, {GRACE_DAYS} days of grace, and what follows from the audit's findings. alice has "
            "a password of 70 days and does nothing until she is reminded.",
        )
        days: dict[str, int] = {}
        for day in range(1, 67):
            self.aws.let_pass(1)
            for what, is_so in self._morning().items():
                if is_so and what not in days:
                    days[what] = day
                    seen = f"day {day:2}, password {self._age('alice'):2} days old: {what}"
                    self.out.check(seen, day == TWO_MONTHS[what])
            if days.get(REMINDED) == day - 1:
                (secret,) = self.aws.secrets()
                (current,) = (version for version in secret["versions"] if "AWSCURRENT" in version["labels"])
                signed_in = self.aws.sign_in("alice", current["value"]["password"], CHOSEN)
                what = f"day {day:2}: alice signs in with the stored password and chooses her own"
                self.out.check(what, signed_in["works"] and signed_in["changed"])
        self.out.line()
        self.out.check("all of it came about", days == TWO_MONTHS)
        told = Counter(message["attributes"]["kind"] for message in self.aws.messages(user_name="alice"))
        self.out.check("nobody was told anything twice", told == TOLD)

    def _morning(self) -> dict[str, bool]:
        """An audit, and the events of its findings; what has come about so far."""
        before = len(self.aws.finding_events())
        self._answer({"action": "audit"}, self.with_grace)
        forwarded = own_events(self.aws, after=before)
        statuses = {
            status for event in forwarded for status in self._statuses(self._answer(event, self.with_grace)).values()
        }
        findings = [finding for finding in self.aws.findings() if finding["Workflow"]["Status"] != "NEW"]
        states = {(finding["Compliance"]["Status"], finding["Workflow"]["Status"]) for finding in findings}
        warned = len(self.aws.messages(kind="password-expiring"))
        secrets = self.aws.secrets()
        return {
            WARNED: warned == 1,
            WARNED_AGAIN: warned == 2,
            FOUND: bool(forwarded),
            IN_GRACE: "change-required" in statuses,
            RESET: "reset" in statuses,
            REMINDED: bool(self.aws.messages(kind="password-unclaimed")),
            RESOLVED: ("PASSED", "RESOLVED") in states,
            TIDIED: any(secret["deleted"] for secret in secrets),
            GONE: ("PASSED", "RESOLVED") in states and not secrets,
        }

    def _fresh_account(self, **more: Any) -> None:
        self.aws.reset()
        self.aws.settings(watch=True)
        fill(self.aws, **more)

    def _curtain(self, *, alice_has_chosen: bool = False) -> None:
        """What must hold at the end of each act, before the account is made anew."""
        self._passwords.update(self.aws.passwords())
        told = self.aws.invariant()
        self.out.check(
            "at no moment was anybody locked out (checked after every call)", not told["now"] and not told["watched"]
        )
        is_well = self.aws.user("alice")["password"] == CHOSEN if alice_has_chosen else self._stored_is_working("alice")
        self._alice_holds = getattr(self, "_alice_holds", True) and is_well

    def _verdict(self) -> bool:
        self.out.heading("The end")
        self.out.check("no password was shown above", not self.out.shows_any_of(self._passwords))
        log = self.function.log() + self.with_grace.log()
        self.out.check("no password is in the function's log", not _is_in(log, self._passwords))
        for problem in self.out.failed:
            self.out.line(f"not as it should be: {problem}")
        is_well = "yes" if self._alice_holds else "NO"
        self.out.line(f"alice's password is the one that is stored, or that she has chosen: {is_well}")
        return self._alice_holds and not self.out.failed

    def _answer(self, event: Any, function: FunctionHost | None = None) -> dict[str, Any]:
        invocation: Invocation = (function or self.function).invoke(event)
        if invocation.error:
            self.out.facts(invocation.error)
            self.out.check("the function answered without an error", False)
            raise SystemExit(1)
        return invocation.result

    def _show_finding(self, finding: dict[str, Any]) -> None:
        control = finding["Compliance"].get("SecurityControlId")
        workflow = finding.get("Workflow", {}).get("Status", "absent")
        self.out.title("The finding")
        self.out.facts(
            {
                "title": f"{control + ': ' if control else ''}{finding['Title']}",
                "from": f"{finding['CompanyName']} {finding['ProductName']}",
                "about": ", ".join(resource["Id"] for resource in finding["Resources"]),
                "state": f"{finding['Compliance']['Status']}, {finding['RecordState']}, workflow {workflow}",
            }
        )

    def _show_users(self, answer: dict[str, Any]) -> None:
        totals = ", ".join(f"{count} {status}" for status, count in answer["totals"].items() if count)
        self.out.title(f"The answer (mode {answer['mode']}; {totals or 'no totals'})")
        self.out.rows(
            (
                user["user_name"],
                user["status"],
                f"{user['password_age_days']} days" if "password_age_days" in user else "",
                user.get("reason", ""),
            )
            for user in answer["users"]
        )

    @staticmethod
    def _statuses(answer: dict[str, Any]) -> dict[str, str]:
        return {
            user["user_name"]: f"skipped {user['reason']}" if user["status"] == "skipped" else user["status"]
            for user in answer["users"]
        }

    def _age(self, name: str) -> int:
        changed = datetime.fromisoformat(self.aws.user(name)["password_last_changed"])
        return (datetime.now(timezone.utc) - changed).days

    def _stored_is_working(self, name: str) -> bool:
        found = [secret for secret in self.aws.secrets() if secret["tags"].get("iam-user") == name]
        current = [v for secret in found for v in secret["versions"] if "AWSCURRENT" in v["labels"]]
        return [v["value"]["password"] for v in current] == [self.aws.user(name)["password"]]

    def _works_still(self, name: str) -> bool:
        return self._has_first_password(name) and not self.aws.user(name)["reset_required"]

    def _has_first_password(self, name: str) -> bool:
        return self.aws.user(name)["history_length"] == 1

    def _is_in_messages(self, name: str) -> bool:
        return _is_in(json.dumps(self.aws.messages()), {self.aws.user(name)["password"]})


def _is_in(text: str, passwords: set[str]) -> bool:
    return any(password in text or json.dumps(password)[1:-1] in text for password in passwords)


def _below(text: str, heading: str) -> str:
    """The line after the one that says `heading`."""
    lines = text.splitlines()
    return lines[lines.index(heading) + 1].strip()


def _in_words(signed_in: dict[str, Any]) -> str:
    welcome = "you are in" if signed_in["works"] else "wrong password"
    return f"{welcome}; choose a new password to go on" if signed_in["change_required"] else welcome


def main() -> None:
    """Sets the stage, plays, and tells the shell how it went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--binary", help="the function's binary; the one that was built last if left out")
    binary = find_binary(parser.parse_args().binary)
    began = time.monotonic()
    with ExitStack() as stack:
        aws = stack.enter_context(Standin.start())
        host = function_host("emulator", binary, endpoint_url=aws.url, environment=environment())
        # Its events are many, and cargo-lambda's emulator is not what they are to show.
        variables = environment() | {"GRACE_DAYS": str(GRACE_DAYS)}
        with_grace = function_host("builtin", binary, endpoint_url=aws.url, environment=variables)
        demo = Demo(aws, stack.enter_context(host), stack.enter_context(with_grace))
        demo.out.line(f"{FUNCTION}: {binary.stat().st_size / 1e6:.1f} MB, under cargo-lambda's emulator")
        demo.out.line(f"AWS: a stand-in on {aws.url}, with {', '.join(AGES)}")
        is_well = demo.run()
    if not is_well:
        print(f"The demo failed after {time.monotonic() - began:.0f} s.", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
