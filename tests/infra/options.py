"""The options of the main template: both ends of each, and which of them a part of the template hangs on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, count, product
from math import comb
from typing import Any

from .cfn import NAMES, VARIABLE

KEY = "arn:{p}:kms:{r}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# Each parameter with a default: nothing or the least of it, and much of it.
OPTIONS: dict[str, tuple[str, str]] = {
    "Architecture": ("x86_64", "arm64"),
    "Accounts": ("*", "*, " + ", ".join(f"!{number:012}" for number in range(1, 20))),
    "Mode": ("remediate", "dry-run"),
    "MaxPasswordAgeDays": ("1", "1095"),
    "PasswordLength": ("8", "128"),
    "PasswordPolicy": ("strengthen", "report"),
    "Sweep": ("stale", "off"),
    "MaxResetsPerSweep": ("0", "5000"),
    "GraceDays": ("0", "90"),
    "WarnDays": ("", ",".join(map(str, range(365, 0, -1)))),
    "ClaimDays": ("1", "90"),
    "EmailTag": ("", "Mail Of " + "k" * 120),
    "ExemptTagKey": ("a", "Team Of " + "k" * 120),
    "ExemptTagValue": ("", "v" * 256),
    "ExemptUsers": ("", "/break-glass/*," * 60),
    "ChangePasswordGrant": ("attach", "skip"),
    "SecretPrefix": ("p", "p/" * 63 + "p"),
    "SecretKmsKeyArn": ("", KEY),
    "PasswordAgeFindings": ("x", ",".join(f"*Kenn*wort?{number}*" for number in range(40))),
    "TrustedProducts": ("", ",".join(f"arn:*:product/p{number}/*" for number in range(40))),
    "WorkQueue": ("use", "none"),
    "MemberRoleName": ("", "m" * 58),
    "NotificationLanguage": ("en", "ja"),
    "SupportContact": ("", "c" * 500),
    "LogLevel": ("info", "trace"),
    "LedgerKmsKeyArn": ("", KEY),
    "SweepSchedule": ("", "cron(0 3 ? * MON *)"),
    "AuditSchedule": ("", "cron(0 4 ? * MON *)"),
    "CustomAction": ("none", "create"),
    "LogRetentionDays": ("30", "3653"),
    "LogKmsKeyArn": ("", KEY),
    "ReservedConcurrency": ("0", "1000"),
    "FunctionRoleName": ("", "f" * 58),
    "RolePath": ("/", "/security/" + "x" * 200 + "/"),
    "PermissionsBoundaryArn": ("", "arn:{p}:iam::123456789012:policy/team/boundary"),
}


def chosen(partition: str, region: str, **ends: bool) -> dict[str, str]:
    """The parameters with those ends of the options."""
    return {name: OPTIONS[name][much].format(p=partition, r=region) for name, much in ends.items()}


def combinations_of(names: set[str]) -> Iterator[dict[str, bool]]:
    """All choices among those options."""
    ordered = sorted(names)
    for ends in product((False, True), repeat=len(ordered)):
        yield dict(zip(ordered, ends, strict=True))


def pairwise() -> list[dict[str, bool]]:
    """Few choices of all options, in which any two options take every pair of ends.

    In the first row every option is at its first end. Of the other rows each option has another selection of the same
    size, more than half, in which it is at its second end: two such selections overlap, and neither holds the other
    (Kleitman and Spencer, 1973).
    """
    rows = next(rows for rows in count(1) if comb(rows, rows // 2 + 1) >= len(OPTIONS))
    selections = combinations(range(1, rows + 1), rows // 2 + 1)
    seconds = dict(zip(OPTIONS, selections, strict=False))
    return [{name: row in seconds[name] for name in OPTIONS} for row in range(rows + 1)]


def mentions(template: dict[str, Any], node: Any) -> set[str]:
    """The parameters that can change what `node` comes to, by whatever it refers to."""
    found: set[str] = set()
    seen: set[str] = set()

    def name(referred: str) -> None:
        if referred in template["Parameters"]:
            found.add(referred)
        elif referred in template["Resources"] and referred not in seen:
            seen.add(referred)
            resource = template["Resources"][referred]
            # Whether it is there, and what it is called.
            look({"Condition": resource["Condition"]} if "Condition" in resource else {})
            look([resource.get("Properties", {}).get(key) for key in (*NAMES, "Path")])

    def look(part: Any) -> None:
        if isinstance(part, list):
            for item in part:
                look(item)
        elif isinstance(part, dict):
            for key, value in part.items():
                if key == "Ref":
                    name(value)
                elif key == "Condition" and isinstance(value, str):
                    look(template["Conditions"][value])
                elif key == "Fn::GetAtt":
                    name(value[0] if isinstance(value, list) else value.partition(".")[0])
                elif key == "Fn::Sub":
                    text, own = (value, {}) if isinstance(value, str) else value
                    for literal, variable in VARIABLE.findall(text):
                        if not literal and variable not in own:
                            name(variable.partition(".")[0])
                    look(own)
                elif key == "Fn::If":
                    look(template["Conditions"][value[0]])
                    look(value[1:])
                else:
                    look(value)

    look(node)
    return found


def decides(template: dict[str, Any]) -> set[str]:
    """The parameters on which conditions hang: the others only fill in values."""
    return mentions(template, template["Conditions"])
