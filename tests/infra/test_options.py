"""Whatever an operator chooses, the template comes to a stack that AWS takes.

A resource hangs on few of the options. So every combination is tried where it can make a difference: for each resource
by itself, over all options that decide on it or on what it refers to. A selection is deployed as a whole.
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import boto3
import pytest
from moto.iam import iam_backends

from .cfn import ASKED, MEMBER_ROLE, PLACES, TEMPLATE, Stack, document, load, member_stack, translated
from .deployment import deploy, moto_alone, supported
from .event_pattern import complexity
from .options import OPTIONS, chosen, combinations_of, decides, mentions, pairwise
from .simulator import role_policies

# As long as a stack's name may be, and as long as it may be without FunctionRoleName in any region.
LONGEST_NAME, LONGEST_NAME_OF_ROLE = "s" * 128, "s" * 43
# EventBridge's limits: the characters of a pattern, and what was taken in public; 12 was refused.
PATTERN, COMPLEXITY = 2048, 9


def stack(partition: str, ends: dict[str, bool], name: str = LONGEST_NAME) -> Stack:
    place = PLACES[partition]
    return Stack(translated(place.region), place, ASKED | chosen(partition, place.region, **ends), name)


def parts(template: dict[str, Any]) -> dict[str, Any]:
    """What is evaluated by itself."""
    return template["Resources"] | {f"output {name}": {"Output": out} for name, out in template["Outputs"].items()}


def test_every_parameter_is_an_option_here_within_what_the_template_allows() -> None:
    declared = load(TEMPLATE)["Parameters"]
    assert OPTIONS.keys() == {name for name, parameter in declared.items() if "Default" in parameter}
    for name, ends in OPTIONS.items():
        parameter = declared[name]
        for end in (end.format(p="aws", r="us-east-1") for end in ends):
            assert len(end) <= min(4096, parameter.get("MaxLength", 4096)), name
            assert end in map(str, parameter.get("AllowedValues", [end])), name
            for item in end.split(",") if parameter["Type"] == "CommaDelimitedList" else [end]:
                assert re.fullmatch(parameter.get("AllowedPattern", ".*"), item.strip()), f"{name}: {item}"
            if parameter["Type"] == "Number":
                assert parameter.get("MinValue", 0) <= int(end) <= parameter.get("MaxValue", 3653), name


def test_every_two_options_are_deployed_together_at_all_their_ends() -> None:
    rows = pairwise()
    for one, other in combinations(OPTIONS, 2):
        assert len({(row[one], row[other]) for row in rows}) == 4, (one, other)


@pytest.mark.parametrize("partition", PLACES)
def test_every_combination_of_options_comes_to_resources(partition: str) -> None:
    template = translated(PLACES[partition].region)
    deciding = decides(template)
    others = dict.fromkeys(OPTIONS.keys() - deciding, True)
    tried = 0
    for name, written in parts(template).items():
        for ends in combinations_of(mentions(template, written) & deciding):
            found = stack(partition, others | ends)
            if "Condition" not in written or found.condition(written["Condition"]):
                # What is not there cannot be referred to: that is an error in here.
                assert found.value(written), name
            tried += 1
    assert tried > 1000


@pytest.mark.parametrize("partition", PLACES)
def test_no_option_makes_a_pattern_too_long_or_more_complex(partition: str) -> None:
    template = translated(PLACES[partition].region)
    rules = {name: rule for name, rule in template["Resources"].items() if rule["Type"] == "AWS::Events::Rule"}
    assert len(rules) == 6
    for name, rule in rules.items():
        written = rule["Properties"]["EventPattern"]
        changing = mentions(template, written)
        assert changing <= {"MemberRoleName", "TrustedProducts"}, f"{name}: what an operator writes is in no pattern"
        scores = set()
        for ends in combinations_of(changing):
            pattern = stack(partition, ends).value(written)
            text = pattern if isinstance(pattern, str) else json.dumps(pattern, separators=(",", ":"))
            assert len(text) <= PATTERN, f"{name}: {len(text)}"
            scores.add(complexity(document(pattern)))
        [score] = scores
        assert score <= COMPLEXITY, name


@pytest.mark.parametrize("partition", PLACES)
@pytest.mark.parametrize("row", range(len(pairwise())))
def test_the_options_can_be_deployed_together(row: int, partition: str) -> None:
    found = stack(partition, pairwise()[row], LONGEST_NAME_OF_ROLE)
    place = found.place
    asked = ASKED | chosen(partition, place.region, **pairwise()[row])
    with moto_alone(place):
        created = deploy(found.template, found, asked)
        assert created.keys() == supported(found)
        events = boto3.client("events")
        for name, rule in found.of_type("AWS::Events::Rule").items():
            kept = events.describe_rule(Name=created[name])["EventPattern"]
            assert json.loads(kept) == document(rule["EventPattern"]), name
        # Not by a client: moto takes IAM's endpoint of aws-us-gov for that of aws.
        iam = iam_backends[place.account][partition]
        for name in found.of_type("AWS::IAM::Role"):
            assert sorted(iam.list_role_policies(created[name])) == sorted(role_policies(found, name))


@pytest.mark.parametrize("partition", PLACES)
def test_every_combination_of_the_member_roles_options_comes_to_resources(partition: str) -> None:
    deciding = decides(load(MEMBER_ROLE))
    assert {"Mode", "SecretKmsKeyArn", "PermissionsBoundaryArn"} <= deciding
    for ends in combinations_of(deciding):
        found = member_stack(partition, **chosen(partition, PLACES[partition].region, **ends))
        assert found.resources.keys() == {"MemberRole", "AuditRole", "ReadOwnPassword", "ReadAllPasswords"}
