"""The event rules admit what the contract says counts, and nothing else: over events/ and its near misses."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from .cfn import PLACES, ROOT, document, main_stack
from .event_pattern import matches

Json = dict[str, Any]
EVENTS = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))}
TRUSTED = "arn:aws:securityhub:*:111122223333:product/111122223333/default"


@cache
def rules(partition: str = "aws", **parameters: str) -> dict[str, Json]:
    """The patterns by rule, as EventBridge gets them."""
    stack = main_stack(partition, **parameters)
    found = stack.of_type("AWS::Events::Rule").items()
    return {name.removeprefix("Function"): document(rule["EventPattern"]) for name, rule in found}


def admitted(event: Json, partition: str = "aws", **parameters: str) -> list[str]:
    """The rules that pass an event on."""
    return [name for name, pattern in rules(partition, **parameters).items() if matches(pattern, event)]


def elsewhere(event: Json, partition: str) -> Json:
    """The event as it would be in another partition."""
    place = PLACES[partition]
    text = json.dumps(event).replace("arn:aws:", f"arn:{partition}:").replace("us-east-1", place.region)
    return json.loads(text)


# What events/README.md says counts, and by which rule.
SAMPLES: dict[str, list[str]] = {
    "already-notified.json": [],
    "archived.json": [],
    "cis-v1.2-1.9.json": ["CisFindings"],
    "cis-v5.0-1.8.json": ["PolicyFindings"],
    "custom-action.json": ["SelectedFindings"],
    "forged-product.json": [],
    "iam10-pci-3.2.1.json": ["PolicyFindings"],
    "iam17-imported.json": ["PolicyFindings"],
    "iam7-control-tower.json": ["PolicyFindings"],
    "iam7-fsbp-legacy.json": ["PolicyFindings"],
    "iam7-imported.json": ["PolicyFindings"],
    "iam7-v2.json": ["V2Findings"],
    "insight-results.json": [],
    "malformed-neighbour.json": ["PasswordAgeFindings"],
    "passed.json": [],
    "password-age-conformance-pack.json": ["PasswordAgeFindings"],
    "password-age-exempt-user.json": ["PasswordAgeFindings"],
    "password-age-imported.json": ["PasswordAgeFindings"],
    "password-age-legacy.json": ["PasswordAgeFindings"],
    "password-age-own.json": ["PasswordAgeFindings"],
    "password-age-v2.json": ["V2Findings"],
    "root.json": ["SelectedFindings"],
    "suppressed.json": [],
    "unsupported-control.json": [],
    # Not sent by Security Hub.
    "reset-dry-run.json": [],
    "reset-fresh.json": [],
    "reset-manual-force.json": [],
    "reset-manual.json": [],
    "reset-typo.json": [],
    "sqs-batch.json": [],
    "sweep-dry-run.json": [],
    "sweep-held.json": [],
    "sweep.json": [],
}


def test_every_sample_event_is_in_the_table() -> None:
    assert sorted(SAMPLES) == sorted(EVENTS)


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_event_is_admitted_by_the_rule_for_it_or_by_none(name: str, partition: str) -> None:
    assert admitted(elsewhere(EVENTS[name], partition), partition) == SAMPLES[name]


def test_findings_of_one_partition_do_not_count_in_another() -> None:
    for name in ("iam7-imported.json", "password-age-imported.json", "iam7-v2.json"):
        assert admitted(EVENTS[name], "aws-cn") == []


Change = Callable[[Json], object]


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
            finding = finding[step]
        finding.pop(last, None)

    return change


def changed(name: str, *changes: Change) -> Json:
    event = copy.deepcopy(EVENTS[name])
    for change in changes:
        change(event["detail"]["findings"][0])
    return event


AGE, POLICY, LEGACY, CIS, OWN = (
    "password-age-imported.json",
    "iam7-imported.json",
    "iam7-fsbp-legacy.json",
    "cis-v1.2-1.9.json",
    "password-age-own.json",
)
AGE_V2, POLICY_V2 = "password-age-v2.json", "iam7-v2.json"
RULE = "ProductFields|aws/config/ConfigRuleName"
HUB = "arn:aws:securityhub:us-east-1::product/aws/securityhub"
BY_GENERATOR = (drop("Compliance|SecurityControlId"), drop("ProductFields|ControlId"), drop("ProductFields|RuleId"))


def generator(name: str) -> tuple[Change, ...]:
    """A finding that names its control by its generator alone."""
    return (*BY_GENERATOR, put("GeneratorId", name))


WANTED: dict[str, tuple[str, tuple[Change, ...], str]] = {
    "of another region": (AGE, (put("ProductArn", HUB.replace("us-east-1", "ap-southeast-4")),), "PasswordAgeFindings"),
    "of Security Hub itself": (AGE, (put("ProductArn", HUB),), "PasswordAgeFindings"),
    "of a member account": (POLICY, (put("AwsAccountId", "111122223333"),), "PolicyFindings"),
    "without Workflow": (POLICY, (drop("Workflow"),), "PolicyFindings"),
    "with an empty Workflow": (POLICY, (put("Workflow", {}),), "PolicyFindings"),
    "without RecordState": (AGE, (drop("RecordState"),), "PasswordAgeFindings"),
    "without optional fields": (
        AGE,
        (drop("Severity"), drop("WorkflowState"), drop("ProductName")),
        "PasswordAgeFindings",
    ),
    "with unknown fields": (POLICY, (put("approximateArrivalTimestamp", 1795161600.123),), "PolicyFindings"),
    "a rule of one account": (AGE, (put(RULE, "iam-user-password-age"),), "PasswordAgeFindings"),
    "a rule of the organisation": (AGE, (put(RULE, "OrgConfigRule-iam-password-age-a1b2c3d4"),), "PasswordAgeFindings"),
    "a rule in a pack": (AGE, (put(RULE, "iam-password-age-conformance-pack-a1b2c3d4e"),), "PasswordAgeFindings"),
    "a generator that names the rule": (
        AGE,
        (drop("ProductFields"), put("GeneratorId", "x-password-age")),
        "PasswordAgeFindings",
    ),
    "a user as Other": (AGE, (put("Resources|0|Type", "Other"),), "PasswordAgeFindings"),
    "a user as in CloudFormation": (AGE, (put("Resources|0|Type", "AWS::IAM::User"),), "PasswordAgeFindings"),
    "a user beside an account": (
        AGE,
        (put("Resources", [{"Type": "AwsAccount", "Id": "x"}, {"Type": "AwsIamUser", "Id": "y"}]),),
        "PasswordAgeFindings",
    ),
    "IAM.17 across standards": (POLICY, (put("Compliance|SecurityControlId", "IAM.17"),), "PolicyFindings"),
    "the control before its generator": (POLICY, (put("GeneratorId", "something-new/IAM.7"),), "PolicyFindings"),
    "IAM.10 by ControlId": (LEGACY, (put("ProductFields|ControlId", "IAM.10"),), "PolicyFindings"),
    "IAM.7 by RuleId": (
        LEGACY,
        (drop("ProductFields|ControlId"), put("ProductFields|RuleId", "IAM.7")),
        "PolicyFindings",
    ),
    "V2: in progress": (POLICY_V2, (put("status", "In Progress"), put("status_id", 2)), "V2Findings"),
    "V2: without numbers": (
        POLICY_V2,
        (drop("status_id"), drop("compliance|status_id"), drop("activity_id")),
        "V2Findings",
    ),
    "V2: updated": (AGE_V2, (put("activity_id", 2), put("activity_name", "Update")), "V2Findings"),
    "V2: without activity": (AGE_V2, (drop("activity_id"), drop("activity_name")), "V2Findings"),
    "V2: by its generator": (
        POLICY_V2,
        (drop("compliance|control"), put("metadata|product|feature|uid", "security-control/IAM.15")),
        "V2Findings",
    ),
    "V2: the rule's id": (
        AGE_V2,
        (drop("finding_info|analytic|name"), put("finding_info|analytic|uid", "my-password-age")),
        "V2Findings",
    ),
}


@pytest.mark.parametrize("case", WANTED)
def test_what_aws_is_known_to_send_is_admitted(case: str) -> None:
    name, changes, rule = WANTED[case]
    assert admitted(changed(name, *changes)) == [rule]


FORGED = "arn:aws:securityhub:us-east-1:444455556666:product/444455556666/default"
OWN_PRODUCT = "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default"

NEAR_MISSES: dict[str, tuple[str, tuple[Change, ...]]] = {
    # Origin.
    "forged by another account": (AGE, (put("ProductArn", FORGED),)),
    "a forged policy finding": (POLICY, (put("ProductArn", FORGED),)),
    "a forged V2 finding": (POLICY_V2, (put("metadata|product|uid", FORGED),)),
    "of this account, not this function": (AGE, (put("ProductArn", OWN_PRODUCT),)),
    "of this function, another account": (OWN, (put("ProductArn", FORGED),)),
    "of this account, another product": (OWN, (put("ProductArn", OWN_PRODUCT.replace("default", "other")),)),
    "of this account, an account's product": (
        OWN,
        (put("ProductArn", FORGED.replace(":444455556666:", ":123456789012:")),),
    ),
    "a generator that only resembles ours": (OWN, (put("GeneratorId", "x/iam-password-remediator/password-age"),)),
    "this function, about something else": (OWN, (put("GeneratorId", "iam-password-remediator/policy"),)),
    "a policy finding of this account's": (POLICY, (put("ProductArn", OWN_PRODUCT),)),
    "of a partner": (AGE, (put("ProductArn", "arn:aws:securityhub:us-east-1::product/prowler/prowler"),)),
    "of GuardDuty": (AGE, (put("ProductArn", "arn:aws:securityhub:us-east-1::product/aws/guardduty"),)),
    "of a product that begins alike": (AGE, (put("ProductArn", HUB + "-coverage"),)),
    "of a product beneath": (POLICY, (put("ProductArn", HUB + "/x"),)),
    "Config in the newer form": (AGE, (put("ProductArn", "arn:aws:securityhub:us-east-1::productv2/aws/config"),)),
    "an account where none belongs": (
        POLICY,
        (put("ProductArn", "arn:aws:securityhub:us-east-1:123456789012:product/aws/securityhub"),),
    ),
    "of another service": (POLICY, (put("ProductArn", HUB.replace("securityhub:us", "config:us")),)),
    "without a product": (POLICY, (drop("ProductArn"),)),
    # State.
    "passed": (AGE, (put("Compliance|Status", "PASSED"),)),
    "a warning": (POLICY, (put("Compliance|Status", "WARNING"),)),
    "not available": (POLICY, (put("Compliance|Status", "NOT_AVAILABLE"),)),
    "failed, in another case": (POLICY, (put("Compliance|Status", "failed"),)),
    "without compliance": (AGE, (drop("Compliance"),)),
    "archived": (AGE, (put("RecordState", "ARCHIVED"),)),
    "notified": (AGE, (put("Workflow|Status", "NOTIFIED"),)),
    "resolved": (POLICY, (put("Workflow|Status", "RESOLVED"),)),
    "suppressed": (POLICY, (put("Workflow|Status", "SUPPRESSED"),)),
    "assigned": (AGE, (put("Workflow|Status", "ASSIGNED"),)),
    "legacy and notified": (LEGACY, (put("Workflow|Status", "NOTIFIED"),)),
    "CIS and archived": (CIS, (put("RecordState", "ARCHIVED"),)),
    "by its generator, and suppressed": (
        POLICY,
        (*generator("security-control/IAM.7"), put("Workflow|Status", "SUPPRESSED")),
    ),
    "V2: passed": (POLICY_V2, (put("compliance|status", "Pass"), put("compliance|status_id", 1))),
    "V2: status and number disagree": (POLICY_V2, (put("compliance|status_id", 1),)),
    "V2: closed": (POLICY_V2, (put("activity_name", "Close"), put("activity_id", 3))),
    "V2: closed, by number only": (POLICY_V2, (drop("activity_name"), put("activity_id", 3))),
    "V2: suppressed": (POLICY_V2, (put("status", "Suppressed"), put("status_id", 3))),
    "V2: resolved": (AGE_V2, (put("status", "Resolved"), put("status_id", 4))),
    "V2: archived": (AGE_V2, (put("status", "Archived"), put("status_id", 5))),
    "V2: no status": (AGE_V2, (drop("status"), drop("status_id"))),
    "V2: another class": (POLICY_V2, (put("class_uid", 2004),)),
    # Control.
    "IAM.70": (POLICY, (put("Compliance|SecurityControlId", "IAM.70"),)),
    "IAM.1": (POLICY, (put("Compliance|SecurityControlId", "IAM.1"),)),
    "IAM.8, unused credentials": (POLICY, (put("Compliance|SecurityControlId", "IAM.8"),)),
    "IAM.9": (POLICY, (put("Compliance|SecurityControlId", "IAM.9"),)),
    "IAM.18": (POLICY, (put("Compliance|SecurityControlId", "IAM.18"),)),
    "a control in brackets": (POLICY, (put("Compliance|SecurityControlId", "[IAM.7]"),)),
    "a title": (POLICY, (put("Compliance|SecurityControlId", "S3.1"), put("Title", "[IAM.7] password-age"))),
    "the control overrules the rule": (LEGACY, (put("Compliance|SecurityControlId", "IAM.8"),)),
    "the rule overrules the generator": (LEGACY, (put("ProductFields|ControlId", "IAM.8"),)),
    "CT.CT.IAM.7": (LEGACY, (put("ProductFields|ControlId", "CT.CT.IAM.7"),)),
    "PCI.IAM.7 is IAM.8": (
        LEGACY,
        (put("ProductFields|ControlId", "PCI.IAM.7"), put("GeneratorId", "pci-dss/v/3.2.1/PCI.IAM.8")),
    ),
    "a bare number without a standard": (CIS, (put("GeneratorId", "prowler-check19"),)),
    "a rule that CIS numbers otherwise": (CIS, (put("ProductFields|RuleId", "1.1"),)),
    "V2: IAM.70": (POLICY_V2, (put("compliance|control", "IAM.70"),)),
    "V2: the control overrules the generator": (
        POLICY_V2,
        (put("compliance|control", "IAM.8"), put("metadata|product|feature|uid", "security-control/IAM.7")),
    ),
    # Subject.
    "another rule of Config's": (AGE, (put(RULE, "access-keys-rotated"),)),
    "the policy's own rule": (AGE, (put(RULE, "iam-password-policy"),)),
    "only the title tells of age": (AGE, (put(RULE, "server-certificates"), put("Title", "my-password-age"))),
    "an age without a user": (AGE, (put("Resources", [{"Type": "AwsAccount", "Id": "AWS::::Account:123456789012"}]),)),
    "a policy without an account": (POLICY, (put("Resources|0|Type", "AwsIamUser"),)),
    "without resources": (POLICY, (drop("Resources"),)),
    "V2: an age without a user": (AGE_V2, (put("resources|0|type", "AWS::::Account"),)),
    "V2: a policy without an account": (POLICY_V2, (put("resources|0|type", "AWS::IAM::User"),)),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_not_admitted(case: str) -> None:
    name, changes = NEAR_MISSES[case]
    assert admitted(EVENTS[name]), "the sample itself is admitted, or the case shows nothing"
    assert admitted(changed(name, *changes)) == []


# As src/event/control.rs has them: every published form, and what only resembles one.
GENERATORS = {
    "StandardFindings": [
        *(f"security-control/IAM.{number}" for number in (7, *range(10, 18))),
        *(f"nist-800-171/v/2.0.0/IAM.{number}" for number in (7, *range(10, 18))),
        *(f"pci-dss/v/4.0.1/IAM.{number}" for number in (7, *range(10, 18))),
        "aws-foundational-security-best-practices/v/1.0.0/IAM.7",
        "service-managed-aws-control-tower/v/1.0.0/IAM.7",
        "nist-800-53/v/5.0.0/IAM.7",
        "pci-dss/v/3.2.1/PCI.IAM.8",
    ],
    "CisFindings": [
        *(f"arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.{n}" for n in range(5, 12)),
        "cis-aws-foundations-benchmark/v/1.4.0/1.8",
        "cis-aws-foundations-benchmark/v/1.4.0/1.9",
        "cis-aws-foundations-benchmark/v/3.0.0/1.8",
        "cis-aws-foundations-benchmark/v/3.0.0/1.9",
        "cis-aws-foundations-benchmark/v/5.0.0/1.7",
        "cis-aws-foundations-benchmark/v/5.0.0/1.8",
    ],
}


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for rule, names in GENERATORS.items() for name in names])
def test_a_published_generator_is_enough(name: str, rule: str) -> None:
    assert admitted(changed(POLICY, *generator(name))) == [rule]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "IAM.7",
        "security-control/IAM.70",
        "security-control/IAM.1",
        "security-control/iam.7",
        "security-control/IAM.7 ",
        "security-control/IAM.8",
        "security-control/IAM.18",
        "prefix/security-control/IAM.7",
        "security-control/IAM.7/finding",
        "aws-foundational-security-best-practices/v/2.0.0/IAM.7",
        "aws-foundational-security-best-practices/v/1.0.0/1.9",
        "pci-dss/v/3.2.1/PCI.IAM.7",
        "pci-dss/v/3.2.1/IAM.7",
        "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.1",
        "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.12",
        "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/1.9",
        "arn:aws-iso:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.9",
        "arn:aws:iam:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/1.9",
        "cis-aws-foundations-benchmark/v/1.4.0/1.1",
        "cis-aws-foundations-benchmark/v/1.4.0/1.10",
        "cis-aws-foundations-benchmark/v/1.4.0/1.7",
        "cis-aws-foundations-benchmark/v/5.0.0/1.9",
        "cis-aws-foundations-benchmark/v/1.4/1.8",
        "arn:aws:iam::111122223333:server-certificate/[IAM.7]",
    ],
)
def test_what_only_resembles_a_generator_is_not(name: str) -> None:
    assert admitted(changed(POLICY, *generator(name))) == []


# Whatever makes a finding of either format not count, in every branch of every rule.
SPOILERS: dict[str, tuple[Change, ...]] = {
    "passed": (put("Compliance|Status", "PASSED"),),
    "without compliance status": (drop("Compliance|Status"),),
    "archived": (put("RecordState", "ARCHIVED"),),
    "notified": (put("Workflow", {"Status": "NOTIFIED"}),),
    "resolved": (put("Workflow", {"Status": "RESOLVED"}),),
    "suppressed": (put("Workflow", {"Status": "SUPPRESSED"}),),
    "forged": (put("ProductArn", FORGED),),
    "a partner's": (put("ProductArn", "arn:aws:securityhub:us-east-1::product/prowler/prowler"),),
    "of another partition": (put("ProductArn", HUB.replace("arn:aws:", "arn:aws-cn:")),),
    "about something else": (put("Resources", [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::bucket"}]),),
}
SPOILERS_V2: dict[str, tuple[Change, ...]] = {
    "passed": (put("compliance|status", "Pass"),),
    "passed, by number": (put("compliance|status_id", 1),),
    "closed": (put("activity_name", "Close"),),
    "closed, by number": (put("activity_id", 3),),
    "suppressed": (put("status", "Suppressed"),),
    "suppressed, by number": (put("status_id", 3),),
    "forged": (put("metadata|product|uid", FORGED),),
    "of another class": (put("class_uid", 2002),),
    "about something else": (put("resources", [{"type": "AWS::S3::Bucket"}]),),
}
BRANCHES: dict[str, tuple[str, tuple[Change, ...]]] = {
    **{name: (name, ()) for name, found in SAMPLES.items() if found and found != ["SelectedFindings"]},
    **{case: (name, changes) for case, (name, changes, _) in WANTED.items()},
    **{name: (POLICY, generator(name)) for names in GENERATORS.values() for name in names},
}
del BRANCHES["malformed-neighbour.json"]  # Its first finding is spoilt already.


@pytest.mark.parametrize("branch", BRANCHES)
def test_what_spoils_a_finding_spoils_it_in_every_branch(branch: str) -> None:
    name, changes = BRANCHES[branch]
    is_v2 = EVENTS[name]["detail-type"] == "Findings Imported V2"
    for spoiler, spoil in (SPOILERS_V2 if is_v2 else SPOILERS).items():
        assert admitted(changed(name, *changes, *spoil)) == [], spoiler


def test_all_conditions_must_hold_within_one_finding() -> None:
    """Each of the two findings is wanting in its own way; together they would have all that the rules ask."""
    passed = changed(AGE, put("Compliance|Status", "PASSED"))["detail"]["findings"][0]
    forged = changed(AGE, put("ProductArn", FORGED))["detail"]["findings"][0]
    event = copy.deepcopy(EVENTS[AGE])
    for findings in ([passed, forged], [forged, passed]):
        event["detail"]["findings"] = findings
        assert admitted(event) == []
    event["detail"]["findings"] = [passed, EVENTS[AGE]["detail"]["findings"][0], forged]
    assert admitted(event) == ["PasswordAgeFindings"]


def test_trusted_products_count_as_soon_as_they_are_named() -> None:
    product = put("ProductArn", TRUSTED.replace("*", "eu-central-1"))
    for name, rule in {
        AGE: "PasswordAgeFindings",
        POLICY: "PolicyFindings",
        LEGACY: "PolicyFindings",
        CIS: "CisFindings",
    }.items():
        assert admitted(changed(name, product)) == []
        assert admitted(changed(name, product), TrustedProducts=f"arn:x:*,{TRUSTED}") == [rule]
        assert admitted(changed(name, put("ProductArn", FORGED)), TrustedProducts=TRUSTED) == []
    v2 = changed(POLICY_V2, put("metadata|product|uid", TRUSTED.replace("*", "eu-central-1")))
    assert admitted(v2, TrustedProducts=TRUSTED) == ["V2Findings"]
    by_generator = changed(POLICY, product, *generator("security-control/IAM.7"))
    assert admitted(by_generator, TrustedProducts=TRUSTED) == ["StandardFindings"]


def test_the_globs_for_password_age_findings_are_the_operators() -> None:
    globs = "stale-*, *kennwort*"
    for rule_name, expected in {
        "stale-credentials": True,
        "OrgConfigRule-kennwort-alter-a1b2c3d4": True,
        "iam-user-password-age": False,
    }.items():
        for event, rule in (
            (changed(AGE, put(RULE, rule_name)), "PasswordAgeFindings"),
            (changed(AGE_V2, put("finding_info|analytic|name", rule_name)), "V2Findings"),
        ):
            assert admitted(event, PasswordAgeFindings=globs) == ([rule] if expected else [])


def test_a_selection_counts_by_the_button_that_was_pressed() -> None:
    event = copy.deepcopy(EVENTS["custom-action.json"])
    event["resources"] = ["arn:aws:securityhub:us-east-1:123456789012:action/custom/OpenTicket"]
    assert admitted(event) == []
    event = copy.deepcopy(EVENTS["custom-action.json"])
    event["detail"]["findings"] = [EVENTS["forged-product.json"]["detail"]["findings"][0]] * 20
    assert admitted(event) == ["SelectedFindings"], "whatever is selected"


@pytest.mark.parametrize("field", ["source", "detail-type"])
@pytest.mark.parametrize("name", [AGE, POLICY, CIS, AGE_V2, "custom-action.json"])
def test_the_envelope_must_be_security_hubs(name: str, field: str) -> None:
    event = copy.deepcopy(EVENTS[name])
    event[field] = {"source": "my.app", "detail-type": "Security Hub Findings - Imported V2"}[field]
    assert admitted(event) == []


@pytest.mark.parametrize("partition", PLACES)
def test_a_pattern_is_short_enough_and_leaves_room_for_two_products_and_two_globs(partition: str) -> None:
    trusted = f"{TRUSTED},{TRUSTED}".replace("arn:aws:", f"arn:{partition}:")
    stack = main_stack(partition, TrustedProducts=trusted, PasswordAgeFindings="*password-age*,*credential-age*")
    for name, rule in stack.of_type("AWS::Events::Rule").items():
        pattern = rule["EventPattern"]
        text = pattern if isinstance(pattern, str) else json.dumps(pattern, separators=(",", ":"))
        assert len(text) <= 2048, f"{name}: {len(text)}"
