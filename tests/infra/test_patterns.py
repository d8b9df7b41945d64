"""The event rules forward every finding that the function may want, and little else.

Which findings it wants of those is tested beside its source; events/expected.json holds both to the same samples.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest

from .cfn import PLACES, ROOT, TEMPLATE, document, load, main_stack
from .event_pattern import matches

Json = dict[str, Any]
Change = Callable[[Json], object]
EXPECTED = json.loads((ROOT / "events" / "expected.json").read_text())
MEMBER_ROLE = "iam-password-remediator-member"
EVENTS: dict[str, Json] = {name: json.loads((ROOT / "events" / name).read_text()) for name in EXPECTED}


@cache
def rules(partition: str = "aws", **parameters: str) -> dict[str, Json]:
    """The patterns by rule."""
    found = main_stack(partition, **parameters).of_type("AWS::Events::Rule").items()
    return {name.removeprefix("Function"): document(rule["EventPattern"]) for name, rule in found}


def admitted(event: Json, partition: str = "aws", **parameters: str) -> list[str]:
    """The rules that pass an event on."""
    return [name for name, pattern in rules(partition, **parameters).items() if matches(pattern, event)]


def elsewhere(event: Json, partition: str) -> Json:
    """The event as it would be in another partition."""
    text = json.dumps(event).replace("arn:aws:", f"arn:{partition}:").replace("us-east-1", PLACES[partition].region)
    return json.loads(text)


def put(path: str, value: Any) -> Change:
    """Sets what is at `path` of the finding; its steps are separated by bars, since names hold dots and slashes."""

    def change(finding: Json) -> None:
        *parents, last = path.split("|")
        for step in parents:
            finding = finding.setdefault(step, {}) if isinstance(finding, dict) else finding[int(step)]
        finding[last] = value

    return change


def drop(path: str) -> Change:
    """Takes away what is at `path`."""

    def change(finding: Json) -> None:
        *parents, last = path.split("|")
        for step in parents:
            finding = finding.get(step, {})
        finding.pop(last, None)

    return change


def changed(event: Json, *changes: Change) -> Json:
    event = copy.deepcopy(event)
    for change in changes:
        change(event["detail"]["findings"][0])
    return event


AGE, POLICY, LEGACY, CIS, OWN, AGE_V2, POLICY_V2, SELECTED = (
    EVENTS[f"{name}.json"]
    for name in (
        "password-age-imported",
        "iam7-imported",
        "iam7-fsbp-legacy",
        "cis-v1.2-1.9",
        "password-age-own",
        "password-age-v2",
        "iam7-v2",
        "custom-action",
    )
)
RULE = "ProductFields|aws/config/ConfigRuleName"
PRODUCT_V2, FEATURE, ANALYTIC = "metadata|product|uid", "metadata|product|feature|uid", "finding_info|analytic"
PRODUCTS = "arn:aws:securityhub:us-east-1:"
HUB, HUB_V2 = f"{PRODUCTS}:product/aws/securityhub", f"{PRODUCTS}:productv2/aws/securityhub"
CONFIG, PARTNER = f"{PRODUCTS}:product/aws/config", f"{PRODUCTS}:product/cloud-custodian/cloud-custodian"
MEMBER = f"{PRODUCTS}444455556666:product/444455556666/default"


def trusting(name: str) -> dict[str, str]:
    """What a sample asks to be trusted besides."""
    return {"TrustedProducts": EXPECTED[name].get("trusted", "")}


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize("name", EVENTS)
def test_a_sample_event_is_forwarded_by_the_rules_that_are_expected(name: str, partition: str) -> None:
    for members in ("", MEMBER_ROLE):
        found = admitted(elsewhere(EVENTS[name], partition), partition, MemberRoleName=members, **trusting(name))
        assert found == EXPECTED[name]["rules"]


# Where the name of a check stands, which the code compares in any case of letters. The function's own it writes itself.
LABELS = (
    ("GeneratorId",),
    ("ProductFields", "aws/config/ConfigRuleName"),
    ("metadata", "product", "feature", "uid"),
    ("finding_info", "analytic", "name"),
)
ABOUT_USERS = [name for name, of in EXPECTED.items() if of["rules"] and "age" in " ".join(of["reads"])]


def respelled(event: Json, spell: Callable[[str], str]) -> Json:
    """The event with the names of the checks in another case of letters."""
    event = copy.deepcopy(event)
    for finding in event["detail"]["findings"]:
        is_own = str(finding.get("GeneratorId")).startswith("iam-password-remediator/")
        for *parents, last in () if is_own else LABELS:
            place = finding
            for step in parents:
                place = place.get(step) or {}
            if last in place:
                place[last] = spell(place[last])
    return event


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize("name", ABOUT_USERS)
def test_a_sample_about_a_user_is_forwarded_in_every_case_of_letters(name: str, partition: str) -> None:
    event = elsewhere(EVENTS[name], partition)
    # What is wanted of a name is in no pattern, so any name will do.
    for spell in (str.lower, str.upper, str.title, str.swapcase):
        for members in ("", MEMBER_ROLE):
            found = admitted(respelled(event, spell), partition, MemberRoleName=members, **trusting(name))
            assert found == EXPECTED[name]["rules"], spell


# What is forwarded ---------------------------------------------------------------------------------------------------


def by_generator(name: str) -> Json:
    """A policy finding that names its control by its generator alone."""
    others = ("Compliance|SecurityControlId", "ProductFields|ControlId", "ProductFields|RuleId")
    return changed(POLICY, *map(drop, others), put("GeneratorId", name))


# As src/event/control.rs has them.
CONTROLS = [f"IAM.{number}" for number in (7, *range(10, 18))]
CIS_1_2 = "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule"
STANDARDS = {
    "StandardFindings": {
        "security-control": CONTROLS,
        "nist-800-171/v/2.0.0": CONTROLS,
        "pci-dss/v/4.0.1": CONTROLS,
        "pci-dss/v/3.2.1": ["PCI.IAM.8"],
        "aws-foundational-security-best-practices/v/1.0.0": ["IAM.7"],
        "service-managed-aws-control-tower/v/1.0.0": ["IAM.7"],
        "nist-800-53/v/5.0.0": ["IAM.7"],
    },
    "CisFindings": {
        CIS_1_2: [f"1.{number}" for number in range(5, 12)],
        "cis-aws-foundations-benchmark/v/1.4.0": ["1.8", "1.9"],
        "cis-aws-foundations-benchmark/v/3.0.0": ["1.8", "1.9"],
        "cis-aws-foundations-benchmark/v/5.0.0": ["1.7", "1.8"],
    },
}
GENERATORS = {
    f"{standard}/{number}": rule
    for rule, standards in STANDARDS.items()
    for standard, numbers in standards.items()
    for number in numbers
}

# By what is special about it, the rule that forwards a finding, and the finding.
WANTED: dict[str, tuple[str, Json]] = {
    **{name: (rule, by_generator(name)) for name, rule in GENERATORS.items()},
    **{id_: ("PolicyFindings", changed(POLICY, put("Compliance|SecurityControlId", id_))) for id_ in CONTROLS},
    **{f"V2: {id_}": ("V2Findings", changed(POLICY_V2, put("compliance|control", id_))) for id_ in CONTROLS},
    **{
        f"V2: by the generator of {id_}": (
            "V2Findings",
            changed(POLICY_V2, drop("compliance|control"), put(FEATURE, f"security-control/{id_}")),
        )
        for id_ in CONTROLS
    },
    "IAM.10 by ControlId": ("PolicyFindings", changed(LEGACY, put("ProductFields|ControlId", "IAM.10"))),
    "IAM.7 by RuleId": (
        "PolicyFindings",
        changed(LEGACY, drop("ProductFields|ControlId"), put("ProductFields|RuleId", "IAM.7")),
    ),
    "CIS by RuleId": ("CisFindings", CIS),
    "the control before its generator": ("PolicyFindings", changed(POLICY, put("GeneratorId", "something-new/IAM.7"))),
    "of another region": ("PolicyFindings", changed(POLICY, put("ProductArn", HUB.replace("us-east", "mx-central")))),
    "a policy without Workflow": ("PolicyFindings", changed(POLICY, drop("Workflow"))),
    "with an empty Workflow": ("PolicyFindings", changed(POLICY, put("Workflow", {}))),
    "with unknown fields": ("PolicyFindings", changed(POLICY, put("approximateArrivalTimestamp", 1795161600.123))),
    "an age": ("PasswordAgeFindings", AGE),
    "the function's own": ("PasswordAgeFindings", OWN),
    "the function's own of a member account": ("PasswordAgeFindings", changed(OWN, put("ProductArn", MEMBER))),
    "an age without RecordState": ("PasswordAgeFindings", changed(AGE, drop("RecordState"))),
    "an age without Workflow": ("PasswordAgeFindings", changed(AGE, drop("Workflow"))),
    "a user beside an account": (
        "PasswordAgeFindings",
        changed(AGE, put("Resources", [{"Type": "AwsAccount", "Id": "x"}, {"Type": "AwsIamUser", "Id": "y"}])),
    ),
    "V2: in progress": ("V2Findings", changed(POLICY_V2, put("status", "In Progress"), put("status_id", 2))),
    "V2: without numbers": (
        "V2Findings",
        changed(POLICY_V2, drop("status_id"), drop("compliance|status_id"), drop("activity_id")),
    ),
    "V2: an age": ("V2Findings", AGE_V2),
    "V2: updated": ("V2Findings", changed(AGE_V2, put("activity_id", 2), put("activity_name", "Update"))),
    "V2: without activity": ("V2Findings", changed(AGE_V2, drop("activity_id"), drop("activity_name"))),
    "V2: the function's own": (
        "V2Findings",
        changed(AGE_V2, put(PRODUCT_V2, MEMBER), put(FEATURE, "iam-password-remediator/password-age")),
    ),
}


@pytest.mark.parametrize("case", WANTED)
def test_what_the_function_wants_is_forwarded(case: str) -> None:
    rule, event = WANTED[case]
    for members in ("", MEMBER_ROLE):
        assert admitted(event, MemberRoleName=members) == [rule]


OWNER = {"V2Findings": "cloud|account|uid"}


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize("case", WANTED)
def test_a_members_finding_is_forwarded_if_there_is_a_role_to_reach_its_account_by(case: str, partition: str) -> None:
    rule, event = WANTED[case]
    theirs = elsewhere(changed(event, put(OWNER.get(rule, "AwsAccountId"), "111122223333")), partition)
    assert admitted(theirs, partition) == []
    assert admitted(theirs, partition, MemberRoleName=MEMBER_ROLE) == [rule]


# The function alone decides which names are wanted: none may be lost on the way, in any case of letters.
GLOBS = load(TEMPLATE)["Parameters"]["PasswordAgeFindings"]["Default"].split(",")
NAMES = [spell(glob.replace("*", "x")) for glob in [*GLOBS, "kennwort"] for spell in (str.lower, str.upper, str.title)]
USERS = [
    ("AwsIamUser", "arn:aws:iam::123456789012:user/team/alice"),
    ("AwsIamUser", "alice"),
    ("AWS::IAM::User", "AIDAALICEEXAMPLE00001"),
    ("Other", "arn:aws:iam::123456789012:user/team/alice"),
    ("Other", "alice"),
]


@pytest.mark.parametrize("origin", [CONFIG, HUB, HUB_V2, PARTNER])
def test_a_finding_about_a_user_is_forwarded_whatever_its_name(origin: str) -> None:
    trusted = "*custodian*" if origin == PARTNER else ""
    for name, (kind, id_) in [*product(NAMES, USERS[:1]), *product(NAMES[:1], USERS)]:
        asff = changed(AGE, put("ProductArn", origin), put("Resources", [{"Type": kind, "Id": id_}]))
        for label in ("GeneratorId", RULE):
            assert admitted(changed(asff, put(label, name)), TrustedProducts=trusted) == ["PasswordAgeFindings"]
        ocsf = changed(AGE_V2, put(PRODUCT_V2, origin), put("resources", [{"type": kind, "uid": id_}]))
        for label in (FEATURE, f"{ANALYTIC}|name", f"{ANALYTIC}|uid"):
            assert admitted(changed(ocsf, put(label, name)), TrustedProducts=trusted) == ["V2Findings"]


# What is not ---------------------------------------------------------------------------------------------------------


# Whatever makes a finding not count, in every branch of every rule: its state, its subject …
SPOILERS: dict[str, tuple[Change, ...]] = {
    **{f"Compliance {status}": (put("Compliance|Status", status),) for status in ("PASSED", "WARNING", "failed")},
    **{
        f"Workflow {status}": (put("Workflow", {"Status": status}),)
        for status in ("NOTIFIED", "RESOLVED", "SUPPRESSED", "ASSIGNED")
    },
    "archived": (put("RecordState", "ARCHIVED"),),
    "without resources": (drop("Resources"),),
    **{
        f"about something of type {kind}": (put("Resources", [{"Type": kind, "Id": "arn:aws:s3:::bucket"}]),)
        for kind in ("AwsS3Bucket", "Other")
    },
}
SPOILERS_V2: dict[str, tuple[Change, ...]] = {
    "passed": (put("compliance|status", "Pass"),),
    "passed, by number": (put("compliance|status_id", 1),),
    "closed": (put("activity_name", "Close"),),
    "closed, by number": (put("activity_id", 3),),
    **{f"status {status}": (put("status", status),) for status in ("Suppressed", "Resolved", "Archived")},
    "suppressed, by number": (put("status_id", 3),),
    "without status": (drop("status"), drop("status_id")),
    "of another class": (put("class_uid", 2004),),
    "about something else": (put("resources", [{"type": "AWS::S3::Bucket"}]),),
}
# … and what only findings of trusted products may be.
UNTRUSTED: dict[str, tuple[Change, ...]] = {
    "without compliance": (drop("Compliance|Status"),),
    "without a product": (drop("ProductArn"),),
    **{
        f"of {arn}": (put("ProductArn", arn),)
        for arn in (
            PARTNER,
            f"{PRODUCTS}:product/aws/guardduty",
            f"{HUB}-coverage",
            f"{HUB}/x",
            f"{PRODUCTS}123456789012:product/aws/securityhub",
            f"{PRODUCTS}123456789012:product/aws/config",
            f"{PRODUCTS}123456789012:product/123456789012/other",
        )
    },
}
UNTRUSTED_V2: dict[str, tuple[Change, ...]] = {
    "without compliance": (drop("compliance|status"), drop("compliance|status_id")),
    "of a partner": (put(PRODUCT_V2, PARTNER),),
}


@pytest.mark.parametrize("case", WANTED)
def test_what_spoils_a_finding_spoils_it_in_every_branch(case: str) -> None:
    rule, event = WANTED[case]
    for spoiler, spoil in (SPOILERS_V2 | UNTRUSTED_V2 if rule == "V2Findings" else SPOILERS | UNTRUSTED).items():
        assert admitted(changed(event, *spoil), MemberRoleName=MEMBER_ROLE) == [], spoiler


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [
        (AGE, "ProductArn", CONFIG.replace("product/", "productv2/")),
        (AGE, "ProductArn", MEMBER),
        (OWN, "GeneratorId", "x/iam-password-remediator/password-age"),
        (OWN, "GeneratorId", "iam-password-remediator/policy"),
    ],
)
def test_what_only_resembles_a_known_origin_is_not_forwarded(event: Json, field: str, value: str) -> None:
    assert admitted(changed(event, put(field, value))) == []


def test_with_trusted_products_findings_of_others_are_forwarded_unless_they_say_otherwise() -> None:
    for event, rule, spoilers, compliance in (
        (changed(AGE, put("ProductArn", PARTNER)), "PasswordAgeFindings", SPOILERS, "Compliance"),
        (changed(AGE_V2, put(PRODUCT_V2, PARTNER)), "V2Findings", SPOILERS_V2, "compliance"),
    ):
        for wanted in (event, changed(event, drop(compliance))):
            assert admitted(wanted) == []
            assert admitted(wanted, TrustedProducts="x") == [rule]
        for spoiler, spoil in spoilers.items():
            assert admitted(changed(event, *spoil), TrustedProducts="*") == [], spoiler


NEAR_MISSES: dict[str, Json] = {
    # Origin.
    "a policy finding of Config's": changed(POLICY, put("ProductArn", CONFIG)),
    "a policy finding of an account's": changed(POLICY, put("ProductArn", MEMBER)),
    "V2: a policy finding of Config's": changed(POLICY_V2, put(PRODUCT_V2, CONFIG)),
    # Control.
    **{
        f"SecurityControlId {id_}": changed(POLICY, put("Compliance|SecurityControlId", id_))
        for id_ in ("IAM.1", "IAM.8", "IAM.9", "IAM.18", "IAM.70", "iam.7", "[IAM.7]")
    },
    **{
        f"GeneratorId {name}": by_generator(name)
        for name in (
            "",
            "IAM.7",
            "security-control/IAM.8",
            "security-control/IAM.70",
            "aws-foundational-security-best-practices/v/1.0.0/1.9",
            "pci-dss/v/3.2.1/PCI.IAM.7",
            f"{CIS_1_2}/1.1",
            f"{CIS_1_2}/1.12",
            "cis-aws-foundations-benchmark/v/1.2.0/1.12",
            "cis-aws-foundations-benchmark/v/1.4.0/1.7",
            "cis-aws-foundations-benchmark/v/5.0.0/1.9",
        )
    },
    "a user, by a control": changed(AGE, put("ProductArn", HUB), put("Compliance|SecurityControlId", "IAM.8")),
    "V2: a user, by a control": changed(AGE_V2, put("compliance|control", "IAM.8")),
    "the control overrules the rule": changed(LEGACY, put("Compliance|SecurityControlId", "IAM.8")),
    "the rule overrules the generator": changed(LEGACY, put("ProductFields|ControlId", "IAM.8")),
    "PCI.IAM.7 is IAM.8": changed(LEGACY, put("ProductFields|ControlId", "PCI.IAM.7")),
    "a bare number without a standard": changed(CIS, put("GeneratorId", "prowler-check19")),
    "a rule that CIS numbers otherwise": changed(CIS, put("ProductFields|RuleId", "1.1")),
    "V2: the control overrules the generator": changed(
        POLICY_V2, put("compliance|control", "IAM.8"), put(FEATURE, "security-control/IAM.7")
    ),
    # Subject.
    "an age without a user": changed(AGE, put("Resources", POLICY["detail"]["findings"][0]["Resources"])),
    "a policy without an account": changed(POLICY, put("Resources|0|Type", "AwsIamUser")),
    "V2: an age without a user": changed(AGE_V2, put("resources|0|type", "AWS::::Account")),
    "V2: a policy without an account": changed(POLICY_V2, put("resources|0|type", "AWS::IAM::User")),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_not_forwarded_with_trusted_products_or_without(case: str) -> None:
    assert admitted(NEAR_MISSES[case], MemberRoleName=MEMBER_ROLE) == []
    assert admitted(NEAR_MISSES[case], MemberRoleName=MEMBER_ROLE, TrustedProducts="*") == []


def test_all_conditions_must_hold_within_one_finding() -> None:
    """Each of the two findings is wanting in its own way; together they would have all that the rules ask."""
    wanted = AGE["detail"]["findings"][0]
    passed = changed(AGE, put("Compliance|Status", "PASSED"))["detail"]["findings"][0]
    forged = changed(AGE, put("ProductArn", MEMBER))["detail"]["findings"][0]
    event = copy.deepcopy(AGE)
    for findings, rules in (
        ([passed, forged], []),
        ([forged, passed], []),
        ([passed, wanted, forged], ["PasswordAgeFindings"]),
    ):
        event["detail"]["findings"] = findings
        assert admitted(event) == rules


def test_a_selection_counts_by_the_button_that_was_pressed() -> None:
    event = copy.deepcopy(SELECTED)
    event["detail"]["findings"] = [EVENTS["forged-product.json"]["detail"]["findings"][0]] * 20
    assert admitted(event) == ["SelectedFindings"], "whatever is selected"
    event["resources"] = ["arn:aws:securityhub:us-east-1:123456789012:action/custom/OpenTicket"]
    assert admitted(event) == []


@pytest.mark.parametrize("field", [{"source": "my.app"}, {"detail-type": "Security Hub Findings - Imported V2"}])
def test_the_envelope_must_be_security_hubs(field: Json) -> None:
    for event in (AGE, POLICY, LEGACY, CIS, by_generator("security-control/IAM.7"), AGE_V2, SELECTED):
        assert admitted(event | field) == []


# What EventBridge takes ----------------------------------------------------------------------------------------------


def test_an_operators_lists_are_read_by_the_function_alone() -> None:
    for names, trusted in product(["*a*b*", 'ä"\\,*?*'], repeat=2):
        assert rules(PasswordAgeFindings=names) == rules()
        assert rules(PasswordAgeFindings=names, TrustedProducts=trusted) == rules(TrustedProducts="x")
